"""A server's output, to our stdout and stderr as pipes, while a file is fetched."""

import asyncio
import json
import os
from collections.abc import Iterator, Sequence

import pytest

from rind.decide.library import named
from rind.decide.messages import MessageStream, framed
from rind.decide.path_map import PathMap
from rind.errors import Broken
from rind.execution.library_output import LibraryOutput
from rind.model import Mount
from rind.transport.frames import STDERR, STDOUT


class Fetching:
    """A library whose fetches the test starts."""

    def __init__(self) -> None:
        self.copies: dict[str, str] = {}
        self.paths = PathMap([Mount("/shop", "/app")], self.copies)
        self.asked: list[str] = []
        self.has_asked = asyncio.Event()
        self.may_fetch = asyncio.Event()

    def wanted(self, message: object) -> list[str]:
        return [path for path in named(message, self.paths) if path not in self.asked]

    async def fetch(self, paths: Sequence[str]) -> None:
        self.asked += paths
        self.has_asked.set()
        await self.may_fetch.wait()
        self.copies |= {path: f"/cache{path}" for path in paths if "missing" not in path}


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, int]]:
    """Replace stdout and stderr by pipes; yield their reading ends."""
    out, stdout = os.pipe()
    err, stderr = os.pipe()
    os.set_blocking(out, False)
    monkeypatch.setattr("rind.execution.local.STDOUT_FD", stdout)
    monkeypatch.setattr("rind.execution.local.STDERR_FD", stderr)
    yield {STDOUT: out, STDERR: err}
    for fd in (out, stdout, err, stderr):
        os.close(fd)


def answer(*paths: str) -> bytes:
    return framed(json.dumps({"id": 1, "result": [{"uri": f"file://{p}"} for p in paths]}).encode())


def output_for(library: Fetching) -> LibraryOutput:
    return LibraryOutput(MessageStream(library.paths, "lsp", outward=True), library)


def uris(data: bytes) -> list[str]:
    """Return the URIs in messages, in order."""
    bodies = [part.partition(b"\r\n\r\n")[2] for part in data.split(b"Content-Length: ")[1:]]
    return [location["uri"] for body in bodies for location in json.loads(body)["result"]]


async def test_a_message_waits_for_its_files(pipes: dict[int, int]) -> None:
    library = Fetching()
    output = output_for(library)
    data = answer("/app/x") + answer("/lib/x", "/lib/missing") + answer("/app/y")
    assert not output.take([(STDOUT, memoryview(data)), (STDERR, memoryview(b"said later"))])
    assert uris(os.read(pipes[STDOUT], 9999)) == ["file:///shop/x"]
    flushing = asyncio.create_task(output.flush())
    await library.has_asked.wait()
    assert library.asked == ["/lib/x", "/lib/missing"]
    with pytest.raises(BlockingIOError):
        os.read(pipes[STDOUT], 9999)
    library.may_fetch.set()
    await flushing
    expected = ["file:///cache/lib/x", "file:///lib/missing", "file:///shop/y"]
    assert uris(os.read(pipes[STDOUT], 9999)) == expected
    assert os.read(pipes[STDERR], 99) == b"said later"
    assert output.take([(STDOUT, memoryview(answer("/lib/x")))])
    assert uris(os.read(pipes[STDOUT], 9999)) == ["file:///cache/lib/x"]
    output.end()
    output.close()


async def test_messages_may_arrive_byte_by_byte(pipes: dict[int, int]) -> None:
    library = Fetching()
    library.may_fetch.set()
    output = output_for(library)
    for byte in answer("/lib/x") + answer("/app/y"):
        output.take([(STDOUT, memoryview(bytes([byte])))])
        await output.flush()
    assert uris(os.read(pipes[STDOUT], 9999)) == ["file:///cache/lib/x", "file:///shop/y"]
    output.close()


@pytest.mark.usefixtures("pipes")
async def test_a_server_that_is_none() -> None:
    output = output_for(Fetching())
    with pytest.raises(Broken, match="the server's output is not the language server protocol: a "):
        output.take([(STDOUT, memoryview(b"Hello"))])
    output = output_for(Fetching())
    assert output.take([(STDOUT, memoryview(b"Content-Le"))])
    with pytest.raises(Broken, match="ends within a message"):
        output.end()
    output.close()
