import asyncio

import pytest

from rind.transport.wire import finish


def test_what_waits_for_a_loop_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="but none runs yet"):
        finish(asyncio.sleep(0))
