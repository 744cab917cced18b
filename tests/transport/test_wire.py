import asyncio

import pytest

from rind.transport.wire import finish


def test_awaiting_without_an_event_loop_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="but none runs yet"):
        finish(asyncio.sleep(0))
