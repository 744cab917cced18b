"""The carriers, which a test of what must not depend on them is run with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.engine.pooled import PooledCarrier
from rind.transport.dial import PlainDialer
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier

if TYPE_CHECKING:
    from rind.transport.carrier import Carrier

Carry = Callable[[str], "Carrier"]


def by_sockets(url: str) -> SocketCarrier:
    return SocketCarrier(PlainDialer(url, LoopWire))


by_each_carrier = pytest.mark.parametrize(
    "carry", [PooledCarrier, by_sockets], ids=["pooled", "sockets"]
)


@asynccontextmanager
async def opened(url: str, carry: Carry) -> AsyncIterator[Engine]:
    async with Engine(Endpoint(url, "the test"), carry(url)) as engine:
        yield engine
