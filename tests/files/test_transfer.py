import asyncio
import ctypes
import gc
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import TestContainer
from test_tarball import tree
from test_worker import workers

import rind
from rind import Target
from rind.files import transfer
from rind.files.archive import PathStat
from rind.files.tarball import pack


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a small project."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.py").write_text("print('ü')\n")
    (folder / "src" / "run").write_text("#!/bin/sh\necho ran\n")
    (folder / "src" / "run").chmod(0o755)
    (folder / "link").symlink_to("src/main.py")
    (folder / "big").write_bytes(os.urandom(3_000_000))
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1e9, 1e9), follow_symlinks=False)  # an engine rounds to seconds
    return folder


async def test_a_tree_is_copied_both_ways(target: Target, source: Path, tmp_path: Path) -> None:
    sent: list[int] = []
    received: list[int] = []
    await target.put(source, "/tmp/there", owner=(12, 34), on_progress=sent.append)
    done = await target.run(["sh", "-c", "/tmp/there/src/run; stat -c %u:%g /tmp/there/big"])
    assert done.stdout == b"ran\n12:34\n"
    back = await target.get("/tmp/there", tmp_path / "back", on_progress=received.append)
    assert back == tmp_path / "back"
    assert tree(back) == tree(source)
    for progress in (sent, received):
        assert progress == sorted(progress)
        assert progress[-1] >= 3_000_000
    assert not list(tmp_path.glob(".rind-*"))


async def test_a_copy_goes_into_an_existing_directory(
    target: Target, source: Path, tmp_path: Path
) -> None:
    await target.run(["sh", "-c", "mkdir /tmp/into /tmp/far; ln -s ../into /tmp/far/link"])
    await target.put(source / "src", "/tmp/far/link")
    assert (await target.run(["ls", "/tmp/into/src"])).stdout == b"main.py\nrun\n"
    await target.put(source / "big", "/tmp/into/src/run")
    (tmp_path / "into").mkdir()
    assert await target.get("/tmp/into/src/run", tmp_path / "into") == tmp_path / "into" / "run"
    assert (tmp_path / "into" / "run").read_bytes() == (source / "big").read_bytes()


async def test_files_are_replaced_but_directories_are_not(target: Target, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("old")
    await target.get("/etc/hosts", tmp_path)
    assert "localhost" in (tmp_path / "hosts").read_text()
    (tmp_path / "tmp").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        await target.get("/tmp", tmp_path)
    assert not list((tmp_path / "tmp").iterdir())


async def test_uncopyable_paths_are_errors(target: Target, tmp_path: Path) -> None:
    with pytest.raises(rind.Refused, match="404"):
        await target.get("/nowhere", tmp_path)
    with pytest.raises(rind.Refused, match="404"):
        await target.put(__file__, "/nowhere/at/all")
    with pytest.raises(FileNotFoundError):
        await target.put(tmp_path / "nothing", "/tmp/x")
    with pytest.raises(FileNotFoundError):
        await target.get("/etc/hosts", tmp_path / "no" / "folder")
    for path in ("relative", "/", "/.."):
        with pytest.raises(rind.UsageError, match="absolute"):
            await target.get(path, tmp_path)
    await target.run(["mkfifo", "/tmp/pipe"])
    with pytest.raises(rind.Broken, match="a device or a pipe"):
        await target.get("/tmp/pipe", tmp_path)
    assert not list(tmp_path.iterdir())


async def test_a_file_that_fails_during_the_copy_is_reported(
    target: Target, tmp_path: Path
) -> None:
    """The error is the file's, not that of the interrupted connection."""
    path = tmp_path / "shrinks"
    path.write_bytes(b"x" * 5_000_000)

    def shrink(_: int) -> None:
        os.truncate(path, 1_000_000)

    with pytest.raises(OSError, match="became shorter"):
        await target.put(path, "/tmp/shrinks", on_progress=shrink)
    assert (await target.run(["true"])).returncode == 0


async def test_other_tasks_run_during_a_copy(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are opened in another thread."""
    (tmp_path / "many").mkdir()
    for number in range(1000):
        (tmp_path / "many" / f"{number}").write_bytes(b"x" * 3000)
    opened: set[threading.Thread] = set()
    really_open = Path.open

    def open_and_note(path: Path, *args: Any) -> Any:
        opened.add(threading.current_thread())
        return really_open(path, *args)

    monkeypatch.setattr(Path, "open", open_and_note)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    for copying in (
        partial(target.put, tmp_path / "many", "/tmp/turns"),
        partial(target.get, "/tmp/turns", tmp_path / "back"),
    ):
        seen = [(0, turns)]

        def note(size: int, seen: list[tuple[int, int]] = seen) -> None:
            seen.append((size, turns))

        await copying(on_progress=note)
        assert seen[-1][0] >= 3_000_000
        for (before, turn), (after, later) in pairwise(seen):
            assert later > turn
            assert after - before < 1_000_000
    counting.cancel()
    assert len(opened) == 2
    assert not any(thread.is_alive() for thread in opened)


async def test_a_cancelled_copy_stops(target: Target, tmp_path: Path) -> None:
    """It stops, and no local file appears; the container has the part that arrived."""
    folder = tmp_path / "to"
    folder.mkdir()
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(50_000_000)
    await target.run(["sh", "-c", "head -c 50000000 /dev/zero > /tmp/zeros"])
    for copy in (
        partial(target.get, "/tmp/zeros", folder),
        partial(target.put, tmp_path / "zeros", "/tmp/part"),
    ):
        begun = asyncio.Event()

        def begin(_: int, begun: asyncio.Event = begun) -> None:
            begun.set()

        copying = asyncio.create_task(copy(on_progress=begin))
        await begun.wait()
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
        assert not [path for path in opened if path.is_relative_to(tmp_path)]
        assert not workers()
        assert not list(folder.iterdir())


def test_a_copy_ends_with_its_loop(busybox: TestContainer, tmp_path: Path) -> None:
    """The connection is closed at once: until then, the engine keeps the container locked."""
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(50_000_000)

    async def begin() -> None:
        async with rind.connect(busybox.engine.host, environ=busybox.engine.variables) as client:
            target = await client.find(container=busybox.name)
            begun = asyncio.Event()
            put = target.put(tmp_path / "zeros", "/tmp/cut", on_progress=lambda _: begun.set())
            copying = asyncio.create_task(put)
            await begun.wait()
            copying.cancel()
            await asyncio.wait([copying])

    gc.disable()
    try:
        for _ in range(3):
            asyncio.run(begin())
    finally:
        gc.enable()


async def test_excluded_paths_are_not_copied(target: Target, source: Path) -> None:
    await target.put(source, "/tmp/partly", exclude=["src/*.py", "big"])
    done = await target.run(script="cd /tmp/partly && find | sort", text=True)
    assert done.stdout.split() == [".", "./link", "./src", "./src/run"]
    for exclude, error in ((["/big"], rind.UsageError), ("big", TypeError)):
        with pytest.raises(error):
            await target.put(source, "/tmp/partly", exclude=exclude)


async def test_links_at_the_destination_are_followed(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    await target.run(script="cd /tmp && ln -s circle1 circle2 && ln -s circle2 circle1", check=True)
    with pytest.raises((rind.UsageError, rind.EngineError)):
        await target.put(__file__, "/tmp/circle1")
    assert (await target.run(["readlink", "/tmp/circle1"])).stdout == b"circle2\n"

    # Docker resolves links itself, so a real engine never sends as many.
    links = 40

    async def stat(*_: object) -> PathStat:
        nonlocal links
        links -= 1
        return PathStat(is_folder=links < 0, link="/tmp" if links >= 0 else "")

    monkeypatch.setattr(transfer, "stat_path", stat)
    await target.put(__file__, "/tmp")
    links = 41
    with pytest.raises(rind.UsageError, match=r"cannot copy to /tmp/x: .* more than 40 links"):
        await target.put(__file__, "/tmp/x")


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Give a folder to a user other than root, as whom this thread accesses files meanwhile."""
    set_user = ctypes.CDLL(None).setfsuid
    with TemporaryDirectory() as folder:
        if os.getuid() == 0:
            os.chown(folder, 1, 1)
            set_user(1)
        yield Path(folder)
        set_user(os.getuid())


def test_a_read_only_directory_is_copied() -> None:
    with unprivileged() as folder, ExitStack() as clean_up:
        (folder / "source").mkdir(mode=0o555)
        arrival = transfer._Arrival(folder / "to", "", clean_up)
        arrival.unpacker.feed(b"".join(pack(folder / "source", "source")))
        assert arrival.finish() == folder / "to"
        assert tree(folder)["to"] == tree(folder)["source"]


@pytest.mark.parametrize("count", [0, 2])
def test_an_archive_of_several_files_is_rejected(tmp_path: Path, count: int) -> None:
    with ExitStack() as clean_up:
        arrival = transfer._Arrival(tmp_path / "to", "", clean_up)
        for number in range(count):
            arrival.unpacker.feed(tarfile.TarInfo(f"{number}").tobuf())
        arrival.unpacker.feed(b"\0" * 1024)
        with pytest.raises(rind.Broken, match="files or directories, not one"):
            arrival.finish()
    assert not list(tmp_path.iterdir())


async def test_memory_does_not_grow_with_the_file(busybox: TestContainer, tmp_path: Path) -> None:
    script = f"""
import asyncio, resource, rind

async def main():
    async with rind.connect({busybox.engine.host!r}) as client:
        target = await client.find(container={busybox.name!r})
        await target.put({__file__!r}, "/tmp/warm")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await target.put("big", "/tmp/big")
        await target.get("/tmp/big", "back")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(200_000_000)
    python = await asyncio.create_subprocess_exec(
        *("python", "-c", script), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await python.communicate()
    assert python.returncode == 0
    assert int(out) < 30_000  # KiB
    assert (tmp_path / "back").stat().st_size == 200_000_000
