"""The contract of what carries requests to an engine, and what is sent with each.

:mod:`rind.engine.sockets` opens a connection for each request, before an event loop is there or in
one; :mod:`rind.engine.pooled` is aiodocker. :class:`~rind.engine.engine.Engine` knows what is asked
and what the answers mean.
"""

from __future__ import annotations

from rind.engine.answers import MOST_BYTES, WrongAnswer
from rind.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Protocol

    class Carrier(Protocol):
        """Carries requests. Paths are without their first slash; timeouts are in seconds.

        Every method raises OSError if the connection fails (TimeoutError: it takes too long;
        Disconnected: it ends without an answer), and WrongAnswer if what answers is no engine.
        """

        async def request(
            self,
            method: str,
            path: str,
            params: Mapping[str, str] | None = None,
            *,
            body: object = None,
            timeout: float,  # noqa: ASYNC109 # a carrier that blocks knows no asyncio.timeout
        ) -> Answer:
            """Send a request, with ``body`` as JSON; return the whole answer."""

        async def upgrade(self, path: str, body: object, *, timeout: float) -> Answer:  # noqa: ASYNC109 # as above
            """POST; return an answer that has a connection if the engine has upgraded it."""

        def stream(
            self, path: str, params: Mapping[str, str], *, timeout: float
        ) -> AbstractAsyncContextManager[tuple[Answer, AsyncIterator[bytes]]]:
            """GET; yield the answer, and its body part by part. The timeout is the head's."""

        async def aclose(self) -> None:
            """Close the connections that are kept. Idempotent."""


__all__ = ["Answer", "Disconnected", "check_body"]


class Disconnected(ConnectionError):
    """The engine closed the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        headers: by name in lower case.
        connection: of an upgraded one: the socket, which is the receiver's, and the first bytes
            that it has brought.
    """

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: tuple[socket.socket, bytes] | None = None


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
