"""Translates a carrier's exceptions into Rind's errors, whose messages have a remedy."""

from __future__ import annotations

import errno

from rind.errors import Unreachable
from rind.transport.carrier import Disconnected, WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Final

    from rind.endpoint.endpoint import Endpoint

__all__ = ["map_exceptions"]

_WANTS_TLS: Final = "sent an HTTP request to an HTTPS server"
"""The answer of Go's server to a client without TLS (net/http, server.go)."""


class map_exceptions:  # noqa: N801 # used as the context managers of contextlib are
    """Translates the exceptions of a carrier's methods. May be entered several times.

    Raises:
        Unreachable: nothing answers at the endpoint, or the answer is not a Docker Engine's.
    """

    # Not a generator's context manager: every request enters two or three of these.
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, OSError | WrongAnswer):
            raise Unreachable(_message(self._endpoint, exc)) from exc


def _message(endpoint: Endpoint, failure: OSError | WrongAnswer) -> str:
    url, place = endpoint.url, f"{endpoint.url} (from {endpoint.source})"
    match failure:
        case TimeoutError():
            return f"{place} does not answer: is it a Docker Engine?"
        case Disconnected() if url.startswith("ssh:"):
            from rind.endpoint.address import read_ssh

            return (
                f"{place}: ssh reaches the machine, but no engine answers at {read_ssh(url).path} "
                "there: is that its socket (ssh://HOST/PATH names another one), are you in its "
                "group there (often docker), and does its sshd forward sockets "
                "(AllowStreamLocalForwarding)?"
            )
        case Disconnected():
            return f"{place} closed the connection without an answer: is it a Docker Engine?"
        case OSError():
            return _reason(place, failure)
    if _WANTS_TLS in str(failure):
        return (
            f"{place} speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder "
            "of ca.pem, cert.pem and key.pem"
        )
    return f"{place} does not answer as a Docker Engine does: {failure}"


def _reason(place: str, failure: OSError) -> str:
    match failure.errno:
        case errno.EACCES | errno.EPERM:
            return f"permission denied on {place}: are you in the socket's group (often docker)?"
        case errno.ENOENT:
            return f"there is no socket at {place}: is the engine running there?"
        case errno.ECONNREFUSED:
            return f"nothing listens at {place}: is the engine running?"
        case _:
            return f"cannot connect to {place}: {failure.strerror or failure}"
