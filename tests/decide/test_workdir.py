import pytest

from rind.decide.workdir import container_path, host_path
from rind.model import Mount, is_path

SHOP = Mount("/home/me/shop", "/app")


@pytest.mark.parametrize(
    ("cwd", "mounts", "expected"),
    [
        ("/home/me/shop/api", [SHOP], "/app/api"),
        ("/home/me/shop", [SHOP], "/app"),
        ("/home/me/shopping", [SHOP], None),
        ("/home/me", [SHOP], None),
        ("/home/me/shop/api", [], None),
        ("/home/me/shop/lib/x", [SHOP, Mount("/home/me/shop/lib", "/lib2")], "/lib2/x"),
        ("/home/me/shop/lib", [SHOP, Mount("/home/me/shop/lib", "/lib2")], "/lib2"),
        ("/home/me/x", [Mount("/", "/host")], "/host/home/me/x"),
        ("/a b/c", [Mount("/a b", "/d e")], "/d e/c"),
    ],
)
def test_through_the_longest_mount(cwd: str, mounts: list[Mount], expected: str | None) -> None:
    assert container_path(cwd, mounts) == expected


@pytest.mark.parametrize(
    ("source", "here"),
    [
        ("/home/me", "/home/me"),
        ("/host_mnt/Users/me/shop", "/Users/me/shop"),
        ("/run/desktop/mnt/host/c/shop", "/mnt/c/shop"),
        ("/run/desktop/mnt/host/wsl/home/me", "/home/me"),
    ],
)
def test_a_source_as_this_machine_names_it(source: str, here: str) -> None:
    assert host_path(source) == here


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", True),
        ("/a b", True),
        ("/" + "a" * 4094, True),
        ("/" + "a" * 4095, False),
        ("a", False),
        ("", False),
        ("/a\0", False),
        ("/\ud800", True),
    ],
)
def test_what_can_be_a_path(text: str, expected: bool) -> None:  # noqa: FBT001 # a case
    assert is_path(text) is expected
