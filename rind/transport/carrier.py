"""What a carrier does: it brings a request to an engine, and the answer back.

There are two. :mod:`rind.transport.sockets` opens a connection for each request, and can do so
before an event loop is there. :mod:`rind.engine.pooled` uses aiodocker's connections.
"""

from __future__ import annotations

from rind.base.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Final, Protocol

    class Carrier(Protocol):
        """Carries requests, each within a number of seconds.

        Every method raises OSError if the connection fails (TimeoutError: it takes too long;
        Disconnected: it ends without an answer), and WrongAnswer if what answers is no engine.
        """

        async def request(self, asked: Request, within: float) -> Answer:
            """Send a request; return the whole answer."""

        async def upload(
            self, asked: Request, parts: AsyncIterator[bytes], within: float
        ) -> Answer:
            """Send a request whose body comes in parts, each within that time; as is the answer."""

        async def upgrade(self, asked: Request, within: float) -> Answer:
            """Return an answer that has a connection if the engine has upgraded it."""

        def stream(
            self, asked: Request, within: float
        ) -> AbstractAsyncContextManager[tuple[Answer, AsyncIterator[bytes]]]:
            """Yield the answer, whose head must come in time, and the parts of its body."""

        async def aclose(self) -> None:
            """Close the connections that are kept. Idempotent."""

    class Tunnel(Protocol):
        """Moves bytes between a socket and an engine.

        Attributes:
            failure: why it has ended before the engine's end of the stream; None if it has not.
        """

        @property
        def failure(self) -> OSError | None: ...

        def close(self) -> None:
            """End it at once. Idempotent."""


__all__ = [
    "MOST_BYTES",
    "NOT_OPEN",
    "OTHERWISE_FINE",
    "Answer",
    "Connection",
    "Disconnected",
    "Request",
    "WrongAnswer",
    "check_body",
]

MOST_BYTES: Final = 8 * 1024 * 1024
"""Bytes of an answer. A container in a list is 2 to 4 kB, and a label may be a megabyte."""

NOT_OPEN: Final = "the engine is not open: it was closed, or never entered"

OTHERWISE_FINE: Final = range(200, 300)
"""Statuses of who does what it is asked for, but does not switch protocols."""


class WrongAnswer(ValueError):
    """An answer that no Docker Engine gives."""


class Disconnected(ConnectionError):
    """The engine closed the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: in capitals.
        path: without its first slash.
        params: of the query.
        body: becomes JSON; None for none.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of raw bytes.

    Attributes:
        sock: its socket, which nobody else uses.
        early: the first bytes that it has brought.
        tunnel: what moves the bytes between the socket and the engine; None where the socket is
            the engine's own.
    """

    sock: socket.socket
    early: bytes = b""
    tunnel: Tunnel | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        headers: by name in lower case.
        connection: of an upgraded one; it is the receiver's.
    """

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: Connection | None = None


def check_body(headers: Mapping[str, str], size: int) -> None:
    """Check the body of an answer, of which ``size`` bytes were received.

    Raises:
        WrongAnswer: it is larger than any engine's, or encoded.
    """
    # An engine compresses nothing, and a kilobyte could become a megabyte.
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise WrongAnswer(f"its answer is encoded ({encoding[:40]}), which was not asked for")
    if size > MOST_BYTES:
        raise WrongAnswer(f"its answer has more than {MOST_BYTES} bytes")
