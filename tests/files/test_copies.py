import os
import stat
import time
from pathlib import Path

import pytest

from rind.files import copies
from rind.files.copies import KEPT, Copies, open_copies


def opened(cache: Path, name: str = "web", container_id: str = "0123456789abcdef") -> Copies:
    found = open_copies(cache, name, container_id)
    assert found is not None
    return found


def age(path: Path) -> None:
    long_ago = time.time() - KEPT - 60
    os.utime(path, (long_ago, long_ago))


def test_a_copy_comes_and_goes(tmp_path: Path) -> None:
    web = opened(tmp_path)
    assert web.stamp("/lib/x.py") == ""
    web.store("/lib/x.py", b"x = 1\n", 1_700_000_000)
    path = tmp_path / "rind/files/web-0123456789ab/lib/x.py"
    assert web.paths == {"/lib/x.py": str(path)}
    assert web.stamp("/lib/x.py") == "6 1700000000"
    with path.open() as before:
        web.store("/lib/x.py", b"x = 22\n", 1_700_000_001)
        assert before.read() == "x = 1\n"
    assert (web.stamp("/lib/x.py"), path.read_text()) == ("7 1700000001", "x = 22\n")
    assert opened(tmp_path).paths == web.paths
    web.remove("/lib/x.py")
    web.remove("/lib/x.py")
    web.trim()
    assert web.paths == {}
    assert list(web.folder.iterdir()) == []


def test_a_copy_is_read_only_and_only_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        web = opened(tmp_path / "new")
        web.store("/a/b/x", b"", 0)
    finally:
        os.umask(before)
    for path in (tmp_path / "new").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o400), path


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    base = tmp_path / "rind/files"
    base.mkdir(parents=True)
    base.chmod(0o755)
    assert open_copies(tmp_path, "web", "1") is None
    base.rmdir()
    base.symlink_to(tmp_path)
    assert open_copies(tmp_path, "web", "1") is None
    base.unlink()
    base.write_text("")
    assert open_copies(tmp_path, "web", "1") is None
    assert open_copies(Path("/dev/null/x"), "web", "1") is None


@pytest.mark.parametrize("name", ["../../x", "/etc", "..", "", "x\n\0/"])
def test_a_containers_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    web = opened(tmp_path, name, "../" + name)
    assert web.folder.parent == tmp_path / "rind/files"
    web.store("/x", b"", 0)
    assert [path.parent for path in tmp_path.rglob("x")] == [web.folder]


def test_an_impossible_path_has_no_copy(tmp_path: Path) -> None:
    web = opened(tmp_path)
    web.store("/a", b"", 0)
    for path in ("/a/b", "/" + "x" * 300):
        web.store(path, b"", 0)
        assert web.stamp(path) == ""
    web.store("/c/d", b"", 0)
    web.store("/c", b"", 0)
    web.trim()
    assert sorted(web.paths) == ["/a", "/c/d"]
    assert sorted(path.name for path in web.folder.iterdir()) == ["a", "c"]


def test_the_number_of_copies_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST_FILES", 3)
    monkeypatch.setattr(copies, "MOST_BYTES", 10)
    web = opened(tmp_path)
    for number, path in enumerate(["/a/1", "/b/2", "/c/3", "/d/4"]):
        web.store(path, b"xx", 7)
        os.utime(web.paths[path], (time.time() - 100 + number, 7))
    assert web.stamp("/a/1")  # a use
    web.trim()
    assert sorted(web.paths) == ["/a/1", "/c/3", "/d/4"]
    web.store("/e/5", b"x" * 8, 7)
    web.trim()
    assert sorted(web.paths) == ["/a/1", "/e/5"]
    opened(tmp_path)
    assert sorted(path.name for path in web.folder.iterdir()) == ["a", "e"]


def test_copies_unused_for_long_are_removed(tmp_path: Path) -> None:
    web, other = opened(tmp_path), opened(tmp_path, "other")
    for path in ("/old", "/new"):
        web.store(path, b"", 7)
        other.store(path, b"", 7)
    age(web.folder / "old")
    age(other.folder)
    assert set(opened(tmp_path).paths) == {"/new"}
    assert not (web.folder / "old").exists()
    assert not other.folder.exists()


def test_the_number_of_containers_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_CONTAINERS", 2)
    first = opened(tmp_path, "first")
    first.store("/x", b"", 7)
    os.utime(first.folder, (7, time.time() - 60))
    second, third = opened(tmp_path, "second"), opened(tmp_path, "third")
    assert sorted((tmp_path / "rind/files").iterdir()) == [second.folder, third.folder]
