"""The local folders of a container."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rind.find.caller import find_caller, localized, placed
from rind.model import Container, Mount


def named(path: str, cwd: Path) -> tuple[str, str]:
    """Return the names of a folder and of a mount's source, as rewritten for the caller."""
    container = Container("0" * 64, "web", "running", "", {}, mounts=[Mount(path, "/x")])
    (found,) = localized([container], str(cwd))
    return found.folder, found.mounts[0].source


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop/src").mkdir(parents=True)
    (tmp_path / "link").symlink_to("shop")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path / "shop"


def test_a_folder_around_the_caller_gets_the_callers_name(shop: Path) -> None:
    cwd = shop / "src"
    for path in (shop, shop.parent / "link", shop / "src/.."):
        assert named(str(path), cwd) == ("", str(shop))
    assert named("/", cwd) == ("", "/")


def test_any_other_folder_keeps_its_name(shop: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "loop", tmp_path / "nothing", shop / "src/x", Path("/usr")):
        assert named(str(path), shop) == ("", str(path))


def test_docker_desktops_real_name_comes_first(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host_mnt = str(shop.parent)
    monkeypatch.setattr("rind.decide.workdir._DESKTOP", [(host_mnt, "/")])
    assert named(f"{host_mnt}/shop", shop) == ("", str(shop))
    assert named(f"{host_mnt}{shop}", shop) == ("", str(shop))


def test_a_hostile_path_is_resolved_quickly(shop: Path) -> None:
    """Resolving a megabyte of it took more than half a minute."""
    started = time.process_time()
    for path in ("/a" * 500_000, "/" + "a" * 10**6, "/.." * 300_000, "a\0b", "/a\0b", "/\ud800"):
        assert named(path, shop) == ("", path)
    assert time.process_time() - started < 5  # far below the half minute


def test_a_removed_working_directory_still_has_its_checkout(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "compose.yaml").touch()
    (shop / "src/x").mkdir()
    monkeypatch.chdir(shop / "src/x")
    (shop / "src/x").rmdir()
    caller = find_caller({"PWD": str(shop / "src/x")}, "")
    assert (caller.cwd, caller.compose_folder) == (str(shop / "src/x"), str(shop))
    for value in ("", "x"):
        assert find_caller({"PWD": value}, "").cwd == ""


def test_a_missing_working_directory_is_handled(shop: Path) -> None:
    assert named(str(shop), Path("/nowhere/at/all")) == ("", str(shop))
    os.rmdir(shop / "src")  # noqa: PTH106 # for the next line
    assert named(str(shop), shop / "src") == ("", str(shop))


# --- checkouts ------------------------------------------------------------------------------


def side(folder: Path | str, cwd: Path, *, mount: bool = False) -> str:
    """Return the relation of the checkout of a container with this folder to the caller's."""
    container = Container("0" * 64, "web", "running", "", {})
    mounts = [Mount(str(folder), "/x")] if mount else []
    return side_of(replace(container, folder="" if mount else str(folder), mounts=mounts), cwd)


def side_of(container: Container, cwd: Path) -> str:
    before = Path.cwd()
    os.chdir(cwd)
    try:
        (found,) = placed([container], find_caller({}, ""))
    finally:
        os.chdir(before)
    return found.checkout


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    """Make a repository with a worktree beside it and another inside, and a second repository."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    for name in ("shop", "blog"):
        git("init", "--quiet", name)
        git("-C", name, "commit", "--quiet", "--allow-empty", "--message", "x")
    git("-C", "shop", "worktree", "add", "--quiet", "../beside")
    git("-C", "shop", "worktree", "add", "--quiet", "--detach", ".trees/inside")
    (tmp_path / "shop/docker").mkdir()
    (tmp_path / "shop/src").mkdir()
    (tmp_path / "link").symlink_to("shop")
    return tmp_path


def test_a_containers_checkout_is_recognized(checkouts: Path) -> None:
    shop, beside, inside = (
        checkouts / "shop",
        checkouts / "beside",
        checkouts / "shop/.trees/inside",
    )
    for cwd in (shop, shop / "src"):
        for ours in (shop, shop / "docker", checkouts / "link", checkouts / "link/docker"):
            assert side(ours, cwd) == "ours"
    assert side(shop / "docker", shop / "src", mount=True) == ""
    for cwd, other in ((shop, beside), (beside, shop), (inside, shop), (shop, inside)):
        assert side(other, cwd) == side(other, cwd, mount=True) == "another"
    assert side(shop / "docker", inside) == side(checkouts / "link/src", beside) == "another"
    for strange in (checkouts / "blog", checkouts, "/", "/nowhere"):
        assert side(strange, shop) == ""
    assert side(shop, checkouts / "blog") == ""


def test_a_mount_tells_the_checkout_of_a_project_elsewhere(checkouts: Path) -> None:
    shop, beside = checkouts / "shop", checkouts / "beside"
    (checkouts / "infra").mkdir()
    container = Container("0" * 64, "web", "running", "", {}, folder=str(checkouts / "infra"))
    mounted = replace(container, mounts=[Mount(str(shop), "/app")])
    assert side_of(mounted, beside) == side_of(mounted, shop / ".trees/inside") == "another"
    assert side_of(mounted, shop) == "ours"
    assert side_of(container, beside) == ""


def test_a_submodule_is_a_repository_of_its_own(checkouts: Path) -> None:
    part = checkouts / "beside/lib"
    part.mkdir()
    repository = checkouts / "shop/.git/worktrees/beside/modules/lib"
    repository.mkdir(parents=True)
    (part / ".git").write_text(f"gitdir: {repository}\n")
    assert side(checkouts / "beside", part) == side(checkouts / "shop", part) == ""


def test_a_clone_with_the_same_compose_file_is_another_checkout(checkouts: Path) -> None:
    """As a second clone has; also if the file is gone, or not visible from a container."""
    shop, blog = checkouts / "shop", checkouts / "blog"
    (blog / "docker").mkdir()
    (shop / "docker/dev.yaml").touch()
    container = Container("0" * 64, "web", "running", "", {})

    def found(file: Path | str, cwd: Path) -> str:
        folder = str(Path(file).parent)
        return side_of(replace(container, folder=folder, config_files=[str(file)]), cwd)

    for file in (shop / "docker/dev.yaml", "/gone/docker/dev.yaml", "/(host)/x/docker/dev.yaml"):
        assert found(file, blog) == ""
    (blog / "docker/dev.yaml").touch()
    for file in (shop / "docker/dev.yaml", "/gone/docker/dev.yaml", "/(host)/x/docker/dev.yaml"):
        assert found(file, blog) == "another"
    assert found(shop / "docker/dev.yaml", shop) == "ours"
    assert found("/gone/other.yaml", blog) == ""
    assert found("/" * 4000, blog) == ""


def test_without_git_a_subfolder_belongs_to_the_callers_project(tmp_path: Path) -> None:
    (tmp_path / "shop/docker/x").mkdir(parents=True)
    assert side(tmp_path / "shop/docker", tmp_path / "shop") == "ours"
    assert side(tmp_path / "shop/docker/x", tmp_path / "shop") == ""
    assert side(tmp_path / "shop", tmp_path / "shop/docker") == ""
    (tmp_path / "shop/docker/.git").mkdir()
    assert side(tmp_path / "shop/docker", tmp_path / "shop") == ""


def test_invalid_git_files_are_ignored(checkouts: Path) -> None:
    blog = checkouts / "blog"
    for content in (b"", b"gitdir: ", b"gitdir: \xff\x00/worktrees/", b"x" * 10**6):
        odd = checkouts / f"odd{len(content)}"
        odd.mkdir()
        (odd / ".git").write_bytes(content)
        assert side(odd, blog) == side(blog, odd) == ""
    (checkouts / "pipe").mkdir()
    os.mkfifo(checkouts / "pipe/.git")
    assert side(checkouts / "pipe", blog) == side(blog, checkouts / "pipe") == ""


def test_compose_file_in_the_environment_is_used(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "docker").mkdir()
    (shop / "docker/dev.yaml").touch()
    monkeypatch.chdir(shop / "src")
    for value, separator in (
        ("docker/dev.yaml", ""),
        ("docker/dev.yaml:more.yaml", ""),
        ("docker/dev.yaml,more.yaml", ","),
        ("../docker/dev.yaml", ""),
        (str(shop / "docker/dev.yaml"), ":"),
    ):
        env = {"COMPOSE_FILE": value, "COMPOSE_PATH_SEPARATOR": separator}
        assert find_caller(env, "").compose_file == str(shop / "docker/dev.yaml")
    (shop / "src/.git").mkdir()  # the folder above is another project
    assert find_caller({"COMPOSE_FILE": "docker/dev.yaml"}, "").compose_file is None
    (shop / "src/.git").rmdir()
    for value in ("", "-", "none.yaml", "\0"):
        assert find_caller({"COMPOSE_FILE": value}, "").compose_file is None
    caller = find_caller({"COMPOSE_FILE": "docker/dev.yaml"}, "")
    alias = str(shop.parent / "link/docker/dev.yaml")
    container = Container("0" * 64, "web", "running", "", {}, config_files=["/x", alias])
    assert placed([container], caller)[0].config_files == ["/x", caller.compose_file]
