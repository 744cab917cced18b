"""A fake engine that answers correctly, except where a test replaces an answer.

It writes its few lines of HTTP by hand: no library would send such invalid answers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ID = "0123456789abcdef" * 4
CONTAINER = {
    "Id": ID,
    "Names": ["/web"],
    "State": "running",
    "Status": "Up 5 minutes",
    "Labels": {"app.rind": ""},
}
STATE = {"Running": False, "ExitCode": 0, "Pid": 1}


def reply(body: object, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a whole answer: bytes unchanged, any other body as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = headers or "Content-Type: application/json\r\n"
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data


RIGHT = {
    "ping": reply(b"OK", headers="Api-Version: 1.51\r\n"),
    "list": reply([CONTAINER]),
    "container": reply(CONTAINER | {"Config": {"Env": []}}),
    "create": reply({"Id": ID}, "201 Created"),
    "start": b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "state": reply(STATE),
    "top": reply({"Processes": [["1", "0"]]}),
    "version": reply({"Version": "28.5.2"}),
}


def kind(path: str) -> str:
    """Return the kind of a request."""
    path = path.partition("?")[0]
    for end, name in (
        ("/_ping", "ping"),
        ("/containers/json", "list"),
        ("/start", "start"),
        ("/top", "top"),
        ("/version", "version"),
        ("/exec", "create"),
    ):
        if path.endswith(end):
            return name
    return "state" if "/exec/" in path else "container"


async def forever(writer: asyncio.StreamWriter, head: bytes, part: bytes) -> None:
    """Send a part repeatedly until the peer closes."""
    writer.write(head)
    while True:
        writer.write(part)
        await writer.drain()


@asynccontextmanager
async def hostile(
    folder: Path, wrong: Mapping[str, bytes | tuple[bytes, bytes]]
) -> AsyncIterator[str]:
    """Serve an engine; yield its URL.

    Args:
        folder: for its socket.
        wrong: answers by the kind of request: bytes, or a head and a part that is repeated
            without end.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length or 0))
                name = kind(head.split(b" ")[1].decode())
                answer = wrong.get(name, RIGHT[name])
                if isinstance(answer, tuple):
                    await forever(writer, *answer)
                else:
                    writer.write(answer)
                    await writer.drain()
                if name == "start":
                    break
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, folder / "hostile.sock")
    try:
        yield f"unix://{folder}/hostile.sock"
    finally:
        server.close()
