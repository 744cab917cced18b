"""A language server's output, with the files that it names fetched before the editor asks for them.

A message that names files waits for them, and what follows waits behind it: the messages stay in
their order. Meanwhile nothing is received, so the server meets backpressure, as it would before any
slow reader; its stdin goes on.
"""

from __future__ import annotations

from collections import deque

from rind.execution.local import Output
from rind.execution.mapping import explained
from rind.transport.frames import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from rind.decide.messages import MessageStream

    class Library(Protocol):
        """Copies of a container's files."""

        def wanted(self, message: object) -> list[str]:
            """Return the files that a message names and that must be fetched, or compared."""

        async def fetch(self, paths: Sequence[str]) -> None:
            """Fetch files. It returns in bounded time, whether they are there or not."""


__all__ = ["LibraryOutput"]


class LibraryOutput(Output):
    """Our stdout and stderr, for a language server.

    Args:
        messages: maps the server's messages.
        library: fetches the files that they name.
    """

    def __init__(self, messages: MessageStream, library: Library) -> None:
        super().__init__(None)
        self._messages = messages
        self._library = library
        # Parts of stderr, and the messages of stdout with their JSON value.
        self._waiting: deque[tuple[int, bytes | memoryview, object]] = deque()

    def take(self, parts: list[tuple[int, memoryview]]) -> bool:
        """Write as much as is possible without waiting; return whether it was everything.

        Raises:
            Broken: the output does not consist of messages.
        """
        for stream, data in parts:
            if stream != STDOUT:
                self._waiting.append((stream, data, None))
                continue
            with explained("lsp", outward=True):
                parsed = self._messages.parsed(bytes(data))
            self._waiting.extend((STDOUT, body, message) for body, message in parsed)
        while self._waiting:
            if self._library.wanted(self._waiting[0][2]) or not self._write():
                return False
        return True

    async def flush(self) -> None:
        """Write what :meth:`take` has not written, once the files that it names are fetched."""
        await super().flush()
        while self._waiting:
            if wanted := self._library.wanted(self._waiting[0][2]):
                await self._library.fetch(wanted)
            self._write()
            await super().flush()

    def end(self) -> None:
        """Check that the output has not ended within a message.

        Raises:
            Broken: it has.
        """
        with explained("lsp", outward=True):
            self._messages.close()

    def _write(self) -> bool:
        stream, data, message = self._waiting.popleft()
        if stream == STDOUT:
            data = self._messages.written(bytes(data), message)
        return super().take([(stream, memoryview(data))])
