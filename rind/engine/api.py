"""Sends requests of the Docker Engine API, in the engine's version, with a time limit.

A carrier sends them (:mod:`rind.transport.carrier`), and limits the size of each answer. The
requests themselves are in :mod:`rind.engine.engine`.
"""

from __future__ import annotations

from rind.base.deadline import Deadline
from rind.base.light import running_loop
from rind.base.records import replace
from rind.engine import answers
from rind.engine.dialect import Dialect, read_dialect
from rind.engine.translation import map_exceptions
from rind.errors import Refused
from rind.transport.carrier import NOT_OPEN, Request, WrongAnswer
from rind.transport.choose import loop_carrier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Final, Self

    from rind.endpoint.endpoint import Endpoint
    from rind.transport.carrier import Answer, Carrier

__all__ = ["PING", "REQUEST_TIMEOUT", "Api", "accept"]

PING_TIMEOUT: Final = 10.0
"""Seconds for the answer to a ping. A local engine answers within a millisecond, one behind a slow
line within a second. A longer silence means no engine, or one in no state to run anything."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for any other answer: a busy 20.10 has needed ten."""

_ANOTHER_LOOP: Final = (
    "this client is connected in another event loop: connect one in the loop that uses it"
)

PING: Final = Request("GET", "_ping")


class Api:
    """The API of one engine. Many requests may be in progress at once.

    Use it as an async context manager: entering determines the API version, leaving closes every
    connection except the hijacked ones, which belong to their streams.

    Args:
        endpoint: where the engine is.
        carrier: sends the requests; None for the one that suits the endpoint.
        dialect: the engine's dialect, if known; None to ping the engine for it.
        timeout: seconds for an answer.
        interactive: whether ssh may prompt the user.

    Attributes:
        dialect: the engine's dialect; a default before entering.
        timeout, interactive: the arguments.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        carrier: Carrier | None = None,
        dialect: Dialect | None = None,
        timeout: float = REQUEST_TIMEOUT,
        *,
        interactive: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect or Dialect()
        self._knows_dialect = dialect is not None
        self.timeout = timeout
        self.interactive = interactive
        self._custom_carrier = carrier
        self._carrier: Carrier | None = None
        self._loop: object | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or the answer is not a Docker Engine's.
        """
        self._loop = running_loop()
        try:
            with self.map_exceptions():
                self._carrier = self._custom_carrier or loop_carrier(
                    self.endpoint, keeps=True, interactive=self.interactive
                )
                if not self._knows_dialect:
                    await self._ping()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            await carrier.aclose()

    @property
    def carrier(self) -> Carrier:
        """The carrier of the open engine. For use within Rind.

        Raises:
            RuntimeError: the engine is not open, or was opened in another event loop.
        """
        if self._carrier is None:
            raise RuntimeError(NOT_OPEN)
        if running_loop() is not self._loop:
            raise RuntimeError(_ANOTHER_LOOP)
        return self._carrier

    async def _ping(self) -> None:
        """Determine the dialect by a ping.

        aiodocker's "auto" instead sends GET /version, which takes ten times as long.
        """
        pong = await self.carrier.request(PING, Deadline(min(PING_TIMEOUT, self.timeout)))
        try:
            accept(pong)
        except Refused as exc:
            raise WrongAnswer(f"HTTP status {exc.http_status} {exc.text}") from exc
        self.dialect = read_dialect(pong.headers)
        if (version := self.endpoint.api_version) is not None:
            self.dialect = replace(self.dialect, api_version=version)

    async def get(self, path: str, **params: str) -> bytes:
        """Send a GET request; return the body of the answer. For use within Rind."""
        request = self.new_request("GET", path, params)
        return accept(await self.carrier.request(request, Deadline(self.timeout))).body

    async def post(self, path: str, body: object = None, **params: str) -> bytes:
        """Send a POST request; return the body of the answer. For use within Rind."""
        request = self.new_request("POST", path, params, body)
        return accept(await self.carrier.request(request, Deadline(self.timeout))).body

    def new_request(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Request:
        """Return a request with the API version in its path. For use within Rind."""
        return Request(method, f"v{self.dialect.api}/{path}", params or {}, body)

    def map_exceptions(self) -> AbstractContextManager[None]:
        """Translate a carrier's exceptions into Rind's errors. For use within Rind."""
        return map_exceptions(self.endpoint)


def accept(answer: Answer) -> Answer:
    """Return ``answer`` unless it is an error.

    Raises:
        Refused: the answer is an error.
    """
    if answer.is_error:
        raise Refused(answer.status, answers.read_error(answer.body))
    return answer
