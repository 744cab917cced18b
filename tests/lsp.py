"""A minimal client of language servers (Language Server Protocol 3.17)."""

import asyncio
import json
from pathlib import Path
from typing import Any, Protocol


class Writer(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...


class LspClient:
    """Sends one request at a time, over a reader and a writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._last = 0

    async def notify(self, method: str, params: object) -> None:
        await self._send({"method": method, "params": params})

    async def request(self, method: str, params: object = None) -> Any:
        """Return the result; other messages of the server are discarded."""
        self._last += 1
        await self._send({"id": self._last, "method": method, "params": params})
        while (answer := await self._receive()).get("id") != self._last or "method" in answer:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, path: Path, text: str) -> None:
        """Initialize the server, and open a document."""
        await self.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        await self.notify("initialized", {})
        await self.show(path, text)

    async def show(self, path: Path, text: str) -> None:
        """Introduce one more document."""
        document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
        await self.notify("textDocument/didOpen", {"textDocument": document})

    async def complete(self, path: Path, line: int, character: int) -> list[str]:
        """Return the labels of the completions at a place."""
        where = {"line": line, "character": character}
        params = {"textDocument": {"uri": path.as_uri()}, "position": where}
        found = await self.request("textDocument/completion", params)
        return [item["label"] for item in found["items"]]

    async def close(self) -> None:
        await self.request("shutdown")
        await self.notify("exit", None)

    async def _send(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await self._writer.drain()

    async def _receive(self) -> dict[str, Any]:
        header = await self._reader.readuntil(b"\r\n\r\n")
        (length,) = [
            line for line in header.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        received: dict[str, Any] = json.loads(
            await self._reader.readexactly(int(length.split(b":")[1]))
        )
        return received
