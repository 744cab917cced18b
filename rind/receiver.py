"""What has been received of a command's output: for its reader, and ahead of a slow one."""

import asyncio
from collections import deque

from rind.errors import Broken
from rind.frames import STDOUT, FrameDecoder
from rind.stream import HijackedStream

__all__ = ["Receiver"]


class Receiver:
    """Receives the output of one exec instance, part by part.

    Several tasks may receive; the parts are for one reader.

    Attributes:
        received: bytes so far, frame headers included.
        at_end: whether there is nothing more to receive.
    """

    def __init__(self, stream: HijackedStream, *, tty: bool) -> None:
        self.received = 0
        self.at_end = False
        self._stream = stream
        self._decoder = None if tty else FrameDecoder()
        self._parts: deque[tuple[int, bytes]] = deque()
        self._turn = asyncio.Lock()
        self._failure: Broken | None = None

    def __bool__(self) -> bool:
        """Tell whether there is a part to take."""
        return bool(self._parts)

    def take(self) -> tuple[int, bytes]:
        """Give the next part, as ``(stream, bytes)``, and forget it."""
        return self._parts.popleft()

    async def receive(self) -> None:
        """Receive once, unless another task has just done so."""
        received = self.received
        async with self._turn:
            if self.at_end or self.received != received:
                return
            try:
                data = await self._stream.read()
                self.received += len(data)
                self.at_end = not data
                if self._decoder is not None:
                    self._parts.extend(self._decoder.feed(data))
                elif data:
                    self._parts.append((STDOUT, data))
            except Broken as exc:
                self._failure, self.at_end = exc, True

    async def receive_all(self) -> str:
        """Receive until the end; return what has not been taken, as text."""
        while not self.at_end:
            await self.receive()
        return b"".join(part for _, part in self._parts).decode(errors="replace")

    def check_end(self) -> None:
        """Make sure that the output has ended as it should.

        Raises:
            Broken: the connection failed, or output is missing.
        """
        if self._failure is not None:
            raise self._failure
        if self._decoder is not None:
            self._decoder.close()
