"""Which folders of this machine a container's are."""

import os
import time
from pathlib import Path

import pytest

from rind.caller import localized
from rind.model import Container, Mount


def named(path: str, cwd: Path) -> tuple[str, str]:
    """Return how a folder and a mount's source are called after it."""
    container = Container("0" * 64, "web", "running", "", {}, mounts=[Mount(path, "/x")])
    (found,) = localized([container], str(cwd))
    return found.folder, found.mounts[0].source


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop/src").mkdir(parents=True)
    (tmp_path / "link").symlink_to("shop")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path / "shop"


def test_one_that_we_stand_in_gets_our_name_for_it(shop: Path) -> None:
    cwd = shop / "src"
    for path in (shop, shop.parent / "link", shop / "src/.."):
        assert named(str(path), cwd) == ("", str(shop))
    assert named("/", cwd) == ("", "/")


def test_any_other_keeps_its_own(shop: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "loop", tmp_path / "nothing", shop / "src/x", Path("/usr")):
        assert named(str(path), shop) == ("", str(path))


def test_of_docker_desktops_names_the_real_one_is_first(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_mnt = str(shop.parent)
    monkeypatch.setattr("rind.decide.workdir._DESKTOP", [(host_mnt, "/")])
    assert named(f"{host_mnt}/shop", shop) == ("", str(shop))
    assert named(f"{host_mnt}{shop}", shop) == ("", str(shop))


def test_a_hostile_path_costs_nothing(shop: Path) -> None:
    """Resolving a megabyte of it took more than half a minute."""
    started = time.process_time()
    for path in ("/a" * 500_000, "/" + "a" * 10**6, "/.." * 300_000, "a\0b", "/a\0b", "/\ud800"):
        assert named(path, shop) == ("", path)
    assert time.process_time() - started < 5  # to tell it from the half minute


def test_a_working_directory_that_is_gone(shop: Path) -> None:
    assert named(str(shop), Path("/nowhere/at/all")) == ("", str(shop))
    os.rmdir(shop / "src")  # noqa: PTH106 # for the next line
    assert named(str(shop), shop / "src") == ("", str(shop))
