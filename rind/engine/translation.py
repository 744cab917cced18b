"""Translates a carrier's exceptions into Rind's errors, whose messages have a remedy."""

from __future__ import annotations

import errno
from contextlib import contextmanager

from rind.errors import Unreachable
from rind.transport.carrier import Disconnected, WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from rind.endpoint.endpoint import Endpoint

__all__ = ["map_exceptions"]

_WANTS_TLS: Final = "sent an HTTP request to an HTTPS server"
"""The answer of Go's server to a client without TLS (net/http, server.go)."""


@contextmanager
def map_exceptions(endpoint: Endpoint) -> Iterator[None]:
    """Translate the exceptions of a carrier's methods.

    Raises:
        Unreachable: nothing answers at the endpoint, or the answer is not a Docker Engine's.
    """
    url, place = endpoint.url, f"{endpoint.url} (from {endpoint.source})"
    try:
        yield
    except TimeoutError as exc:
        raise Unreachable(f"{url} does not answer: is it a Docker Engine?") from exc
    except Disconnected as exc:
        if url.startswith("ssh:"):
            from rind.endpoint.address import read_ssh

            raise Unreachable(
                f"{place}: ssh reaches the machine, but no engine answers at {read_ssh(url).path} "
                "there: is that its socket (ssh://HOST/PATH names another one), are you in its "
                "group there (often docker), and does its sshd forward sockets "
                "(AllowStreamLocalForwarding)?"
            ) from exc
        raise Unreachable(
            f"{place} closed the connection without an answer: is it a Docker Engine?"
        ) from exc
    except OSError as exc:
        raise Unreachable(_reason(place, exc)) from exc
    except WrongAnswer as exc:
        if _WANTS_TLS in str(exc):
            raise Unreachable(
                f"{place} speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder "
                "of ca.pem, cert.pem and key.pem"
            ) from exc
        raise Unreachable(f"{place} does not answer as a Docker Engine does: {exc}") from exc


def _reason(place: str, failure: OSError) -> str:
    match failure.errno:
        case errno.EACCES | errno.EPERM:
            return f"permission denied on {place}: are you in the socket's group (often docker)?"
        case errno.ENOENT:
            return f"there is no socket at {place}: is the engine running there?"
        case errno.ECONNREFUSED:
            return f"nothing listens at {place}: is the engine running?"
        case _:
            return f"cannot connect to {place}: {failure}"
