"""The contract of a carrier, which sends a request to an engine and returns the answer.

There are two carriers. :mod:`rind.transport.sockets` opens a connection for each request, and can
do so before an event loop runs. :mod:`rind.engine.pooled` uses aiodocker's connections.
"""

from __future__ import annotations

from rind.base.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Final, Protocol

    from rind.base.deadline import Deadline

    class Carrier(Protocol):
        """Sends requests, each within a number of seconds.

        Every method raises OSError if the connection fails (TimeoutError if the answer takes too
        long, Disconnected if the connection ends without one), and WrongAnswer if the answer is
        not a Docker Engine's.
        """

        async def request(self, request: Request, deadline: Deadline) -> Answer:
            """Send a request; return the complete answer."""

        async def upload(
            self, request: Request, parts: AsyncIterator[bytes], deadline: Deadline
        ) -> Answer:
            """Send a request with a body in parts; each part and the answer have the whole time."""

        async def upgrade(self, request: Request, deadline: Deadline) -> Answer:
            """Send a request to upgrade; the answer to a successful one has the raw connection."""

        def stream(
            self, request: Request, deadline: Deadline
        ) -> AbstractAsyncContextManager[tuple[Answer, AsyncIterator[bytes]]]:
            """Yield the answer and the parts of its body; only the head has a time limit."""

        async def aclose(self) -> None:
            """Close the idle connections that the carrier keeps. Idempotent."""

    class Tunnel(Protocol):
        """Moves bytes between a socket and an engine.

        Attributes:
            failure: why the tunnel broke before the engine ended the stream; None if it did not.
        """

        @property
        def failure(self) -> OSError | None: ...

        def close(self) -> None:
            """Close the tunnel at once. Idempotent."""

        def forget(self) -> None:
            """Close the copy of the tunnel in a child that was just forked."""


__all__ = [
    "MOST_BYTES",
    "NOT_OPEN",
    "NOT_UPGRADED",
    "SWITCHING",
    "Answer",
    "Connection",
    "Disconnected",
    "Request",
    "WrongAnswer",
    "check_body",
]

MOST_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of an answer. A container in a list is 2 to 4 kB, and a label may be a megabyte."""

NOT_OPEN: Final = "the client is not connected: use it within its async with"

SWITCHING: Final = 101
"""The status of an answer that switches protocols."""

NOT_UPGRADED: Final = range(200, 300)
"""Statuses of a success that does not switch protocols, although an upgrade was requested."""


_LOWEST_ERROR: Final = 400
"""The lowest HTTP status that is an error."""


class WrongAnswer(ValueError):
    """An answer that no Docker Engine gives."""


class Disconnected(ConnectionError):
    """The engine closed the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: in capitals.
        path: without the leading slash.
        params: the query's parameters.
        body: encoded as JSON; None for no body.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of raw bytes.

    Attributes:
        sock: its socket, not shared with anything else.
        early: the first bytes received, to be read before the socket.
        tunnel: moves the bytes between the socket and the engine; None where the socket is
            connected to the engine itself.
        last_written: the last byte that was sent on it; empty for none.
        eof_sent: whether it was half-closed.
        was_reset: whether the engine has reset it.
    """

    sock: socket.socket
    early: bytes = b""
    tunnel: Tunnel | None = None
    last_written: bytes = b""
    eof_sent: bool = False
    was_reset: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        headers: by name in lower case.
        connection: of an upgraded answer; the receiver of the answer owns it.
    """

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: Connection | None = None

    @property
    def is_error(self) -> bool:
        """Whether its status is an error's."""
        return self.status >= _LOWEST_ERROR


def check_body(headers: Mapping[str, str], size: int) -> None:
    """Check the body of an answer, of which ``size`` bytes have been received.

    Raises:
        WrongAnswer: the body is larger than :data:`MOST_BYTES`, or compressed.
    """
    # An engine never compresses, and a compressed kilobyte could expand to a megabyte.
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise WrongAnswer(f"its answer is encoded ({encoding[:40]}), which was not asked for")
    if size > MOST_BYTES:
        raise WrongAnswer(f"its answer has more than {MOST_BYTES} bytes")
