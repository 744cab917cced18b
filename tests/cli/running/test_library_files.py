"""The files that a language server names, from a real container into a folder of this machine."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from conftest import Containers, TestContainer

from rind.cli.running import library_files
from rind.cli.running.library_files import LibraryFiles
from rind.decide.messages import framed
from rind.decide.path_map import PathMap
from rind.files.copies import Copies


@pytest.fixture
def shop(tmp_path: Path, containers: Containers) -> tuple[TestContainer, Path, Path]:
    """Return a container, the local folder mounted at /app, and a folder for caches."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return containers("busybox", "", "--volume", f"{folder}:/app"), folder, tmp_path / "cache"


Shop = tuple[TestContainer, Path, Path]


def answered(shop: Shop, *paths: str, words: tuple[str, ...] = ()) -> list[str]:
    """Return the paths in the answers of a server that names paths, each in an answer."""
    container, folder, cache = shop
    answers = [{"id": 1, "result": {"uri": f"file://{path}"}} for path in paths]
    said = b"".join(framed(json.dumps(answer).encode()) for answer in answers)
    (folder / "answers").write_bytes(said)
    done = container.rind("--lsp", *words, "cat", "/app/answers", XDG_CACHE_HOME=str(cache))
    assert (done.returncode, done.stderr) == (0, b"")
    found = re.findall(rb'"uri": ?"file://([^"]*)"', done.stdout)
    return [path.decode().removeprefix(f"{cache}/rind/files/") for path in found]


def place(container: TestContainer, path: str) -> str:
    """Return the path of a file's copy, relative to the folder of all copies."""
    identity = container.engine.cli("inspect", "--format", "{{.Id}}", container.name)
    return f"{container.name}-{identity[:12]}{path}"


def copies(shop: Shop) -> Iterator[Path]:
    return (path for path in shop[2].rglob("*") if not path.is_dir())


def test_a_file_that_changes_and_goes(shop: Shop) -> None:
    container, _, cache = shop
    ours = place(container, "/lib/x.py")
    copy = cache / "rind/files" / ours

    container.inside("mkdir -p /lib; echo 1 > /lib/x.py")
    assert answered(shop, "/lib/x.py", "/app/x", "/none") == [ours, str(shop[1] / "x"), "/none"]
    assert copy.read_text() == "1\n"
    container.inside("echo 22 > /lib/x.py")
    assert answered(shop, "/lib/x.py") == [ours]
    assert copy.read_text() == "22\n"
    before = copy.stat()
    assert answered(shop, "/lib/x.py") == [ours]
    assert copy.stat().st_ino == before.st_ino
    container.inside("rm /lib/x.py")
    assert answered(shop, "/lib/x.py") == ["/lib/x.py"]
    assert not copy.exists()


def test_a_hostile_server_gets_no_other_file(shop: Shop) -> None:
    container, _, _ = shop
    container.inside(
        "echo secret > /secret; chmod 600 /secret; ln -s /secret /link; mkfifo -m 666 /pipe;"
        "ln -s /dev/zero /zero; truncate -s 9M /large; mkdir /folder; echo x > /open"
    )
    asked = ["/secret", "/link", "/pipe", "/zero", "/large", "/folder", "/dev/mem", "/../open"]
    assert answered(shop, *asked, "/open", words=("--user", "1234")) == [
        *asked,
        place(container, "/open"),
    ]
    assert [copy.name for copy in copies(shop)] == ["open"]


def test_nothing_is_fetched_if_disabled_or_unsafe(shop: Shop) -> None:
    _, _, cache = shop
    assert answered(shop, "/etc/passwd", words=("--no-library-files",)) == ["/etc/passwd"]
    assert not cache.exists()
    (cache / "rind/files").mkdir(parents=True)
    (cache / "rind/files").chmod(0o777)
    assert answered(shop, "/etc/passwd") == ["/etc/passwd"]
    assert list(copies(shop)) == []


class Engine:
    """Stands in for a target: records the requests, and answers when the test lets it."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.may_answer = asyncio.Event()

    async def run(self, argv: Sequence[str], **_options: object) -> SimpleNamespace:
        self.asked.append(argv[6::2])
        await self.may_answer.wait()
        return SimpleNamespace(stdout=b"1 7\nx" * len(argv[6::2]))


def result(*paths: str) -> object:
    return {"id": 1, "result": [{"uri": f"file://{path}"} for path in paths]}


async def test_a_file_is_compared_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    engine.may_answer.set()
    library = LibraryFiles(cast("Any", engine), "", copies := Copies(tmp_path), PathMap([]))
    await library.fetch(library.wanted(result("/a", "/b")))
    for _ in range(1000):
        assert library.wanted(result("/a")) == library.wanted(None) == []
    assert library.wanted(result("/c", "/a")) == ["/c"]
    assert engine.asked == [["/a", "/b"]]
    assert copies.paths.keys() == {"/a", "/b"}
    monkeypatch.setattr(library_files, "CHECKED_FOR", 0)
    assert library.wanted(result("/a")) == ["/a"]


async def test_a_slow_engine_stalls_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_files, "PATIENCE", 0)
    engine = Engine()
    library = LibraryFiles(cast("Any", engine), "", copies := Copies(tmp_path), PathMap([]))
    await library.fetch(["/a"])
    await library.fetch(["/b"])
    assert copies.paths == {}
    assert library.wanted(result("/a", "/b")) == []
    engine.may_answer.set()
    monkeypatch.setattr(library_files, "PATIENCE", 60)
    await library.fetch(["/c"])
    assert engine.asked == [["/a"], ["/b"], ["/c"]]
    assert copies.paths.keys() == {"/a", "/b", "/c"}
