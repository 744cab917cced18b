"""Messages for an unreachable engine; test_main.py has real cases."""

import errno
import os

import pytest

from rind.endpoint.endpoint import Endpoint
from rind.engine.translation import map_exceptions
from rind.errors import Unreachable
from rind.transport.carrier import Disconnected, WrongAnswer


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (TimeoutError(), "tcp://h:1 (from X) does not answer: is it a Docker Engine?"),
        (Disconnected(), "tcp://h:1 (from X) closed the connection without an answer"),
        (failure(errno.EACCES), "permission denied on tcp://h:1 (from X): are you in the socket"),
        (failure(errno.ENOENT), "there is no socket at tcp://h:1 (from X): is the engine running"),
        (failure(errno.ECONNREFUSED), "nothing listens at tcp://h:1 (from X): is the engine"),
        (failure(errno.EHOSTUNREACH), "cannot connect to tcp://h:1 (from X): No route"),
        (WrongAnswer("why"), "tcp://h:1 (from X) does not answer as a Docker Engine does: why"),
    ],
)
def test_every_failure_has_its_message(raised: Exception, said: str) -> None:
    with pytest.raises(Unreachable) as caught, map_exceptions(Endpoint("tcp://h:1", "X")):
        raise raised
    assert str(caught.value).startswith(said)


def test_programming_errors_are_not_translated() -> None:
    with pytest.raises(LookupError), map_exceptions(Endpoint("tcp://h:1", "X")):
        raise LookupError


def test_an_engine_that_requires_tls_is_recognized() -> None:
    said = "HTTP status 400 Client sent an HTTP request to an HTTPS server."
    what = pytest.raises(Unreachable, match="speaks TLS: set DOCKER_TLS_VERIFY=1")
    with what, map_exceptions(Endpoint("tcp://x:2376", "the test")):
        raise WrongAnswer(said)
