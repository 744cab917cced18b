from pathlib import PurePosixPath

import pytest

from rind.workdir import Mount, container_path, host_path

SHOP = Mount("/home/me/shop", "/app")


@pytest.mark.parametrize(
    ("cwd", "mounts", "expected"),
    [
        ("/home/me/shop/api", [SHOP], "/app/api"),
        ("/home/me/shop", [SHOP], None),
        ("/home/me/shopping", [SHOP], None),
        ("/home/me", [SHOP], None),
        ("/home/me/shop/api", [], None),
        ("/home/me/shop/lib/x", [SHOP, Mount("/home/me/shop/lib", "/lib2")], "/lib2/x"),
        ("/home/me/shop/lib", [SHOP, Mount("/home/me/shop/lib", "/lib2")], None),
        ("/home/me/x", [Mount("/", "/host")], "/host/home/me/x"),
        ("/Users/me/shop/x", [Mount("/host_mnt/Users/me/shop", "/app")], "/app/x"),
        ("/mnt/c/shop/x", [Mount("/run/desktop/mnt/host/c/shop", "/app")], "/app/x"),
        ("/home/me/a", [Mount("/run/desktop/mnt/host/wsl/home/me", "/app")], "/app/a"),
        ("/a b/c", [Mount("/a b", "/d e")], "/d e/c"),
    ],
)
def test_through_the_longest_mount(cwd: str, mounts: list[Mount], expected: str | None) -> None:
    assert container_path(PurePosixPath(cwd), mounts) == expected


def test_a_plain_source_is_itself() -> None:
    assert host_path("/home/me") == PurePosixPath("/home/me")
