"""Code that all carriers share."""

import pytest

from rind.transport.carrier import MOST_BYTES, WrongAnswer, check_body


def test_every_engines_body_is_accepted() -> None:
    check_body({}, MOST_BYTES)
    check_body({"content-encoding": "identity"}, 0)


def test_an_invalid_body_is_rejected() -> None:
    with pytest.raises(WrongAnswer, match="more than 8388608 bytes"):
        check_body({}, MOST_BYTES + 1)
    with pytest.raises(WrongAnswer, match=r"encoded \(gzip\), which was not asked for"):
        check_body({"content-encoding": "gzip"}, 0)
