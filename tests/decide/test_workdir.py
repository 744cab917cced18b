import pytest

from rind.decide.workdir import container_path, host_path, seen_through
from rind.model import Container, Mount, is_path

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
def test_the_longest_mount_gives_the_directory(
    cwd: str, mounts: list[Mount], expected: str | None
) -> None:
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
def test_a_mounts_source_gets_its_local_name(source: str, here: str) -> None:
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
def test_only_absolute_text_of_bounded_size_is_a_path(text: str, expected: bool) -> None:  # noqa: FBT001 # a case
    assert is_path(text) is expected


OWN = [Mount("/home/me/shop", "/workspaces/shop"), Mount("/host_mnt/data", "/data")]


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("/home/me/shop", [Mount("/workspaces/shop", "/code")]),
        ("/home/me/shop/api", [Mount("/workspaces/shop/api", "/code")]),
        ("/home/me", [Mount("/(host)/home/me", "/code"), Mount("/workspaces/shop", "/code/shop")]),
        ("/workspaces/shop", [Mount("/(host)/workspaces/shop", "/code")]),
        ("/srv", [Mount("/(host)/srv", "/code")]),
    ],
)
def test_mounts_are_translated_for_a_caller_in_a_container(source: str, seen: list[Mount]) -> None:
    container = Container("0" * 64, "web", "running", "Up", {}, mounts=[Mount(source, "/code")])
    assert seen_through(container, OWN).mounts == seen


@pytest.mark.parametrize(
    ("folder", "seen"),
    [
        ("/home/me/shop/docker", "/workspaces/shop/docker"),
        ("/srv/blog", "/(host)/srv/blog"),
        ("/data/x", "/data/x"),
        ("/workspaces/shop", "/(host)/workspaces/shop"),
        ("", ""),
    ],
)
def test_folders_are_translated_for_a_caller_in_a_container(folder: str, seen: str) -> None:
    container = Container(
        "0" * 64, "web", "running", "Up", {}, folder=folder, config_files=[folder]
    )
    found = seen_through(container, OWN)
    assert (found.folder, found.config_files, found.local_folder) == (seen, [seen], "")
