"""What carriers share."""

import pytest

from rind.transport.carrier import MOST_BYTES, WrongAnswer, check_body


def test_a_body_of_any_engine_is_taken() -> None:
    check_body({}, MOST_BYTES)
    check_body({"content-encoding": "identity"}, 0)


def test_a_body_that_no_engine_sends_is_refused() -> None:
    with pytest.raises(WrongAnswer, match="more than 8388608 bytes"):
        check_body({}, MOST_BYTES + 1)
    with pytest.raises(WrongAnswer, match=r"encoded \(gzip\), which was not asked for"):
        check_body({"content-encoding": "gzip"}, 0)
