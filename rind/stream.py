"""The hijacked stream: an exec's connection after ``101 UPGRADED``, raw bytes both ways.

aiodocker's own ``Stream`` cannot half-close and parses frames without a bound, so the transport
is taken from aiohttp and given to asyncio's stream classes, which have backpressure in both
directions and half-close. From then on aiohttp knows nothing of the connection: it counts
towards no pool limit, and closing it is ours.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from rind.errors import Broken

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["HijackedStream"]

READ_SIZE: Final = 256 * 1024
"""Bytes: what asyncio's transports receive at once at most."""


class HijackedStream:
    """Raw bytes to and from one exec instance.

    Reading stops the engine once about ``2 * READ_SIZE`` bytes are waiting here; :meth:`drain`
    stops a writer while the engine does not take what has been written.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def adopt(cls, response: "ClientResponse") -> "HijackedStream":
        """Take the connection of an upgraded response away from aiohttp.

        Raises:
            Broken: the connection is already gone.
        """
        connection = response.connection
        http = connection.protocol if connection is not None else None
        transport = http.transport if http is not None else None
        if http is None or not isinstance(transport, asyncio.Transport):
            response.close()
            raise Broken("the engine closed the connection right after upgrading it")
        # What the engine sent along with the 101 waits in the protocol's tail; set_parser hands
        # it over (aiohttp's own websocket client gets it in the same way).
        early = _Tail()
        http.set_parser(early, None)
        # With no transport, releasing the connection only takes it out of the pool's books.
        http.transport = None
        response.close()

        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_SIZE, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if not transport.is_reading():
            transport.resume_reading()
        if early.data:
            reader.feed_data(early.data)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def read(self) -> bytes:
        """Receive what there is, ``READ_SIZE`` bytes at most; ``b""`` is the end of the stream.

        Raises:
            Broken: the connection failed.
        """
        try:
            return await self._reader.read(READ_SIZE)
        except OSError as exc:
            raise Broken(f"the connection to the engine broke: {exc}") from exc

    async def write(self, data: bytes) -> None:
        """Send ``data``, and wait until the engine has taken most of what was sent.

        Raises:
            Broken: the connection failed.
        """
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as exc:
            raise Broken(f"the connection to the engine broke: {exc}") from exc

    def write_eof(self) -> None:
        """Half-close: nothing more will be sent; receiving goes on. Idempotent.

        Never with a TTY: dockerd then drops the command's output.
        """
        transport = self._writer.transport
        if not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()

    def close(self) -> None:
        """Close both ways at once, dropping what has not been sent. Idempotent."""
        self._writer.transport.abort()


class _Tail:
    """A payload parser in aiohttp's sense that keeps what it is fed."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Nothing to do: the transport tells the new protocol itself."""
