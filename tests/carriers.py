"""The carriers, for tests that must pass with each of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.engine.pooled import PooledCarrier, docker_at
from rind.transport.dial import PlainDialer
from rind.transport.kept import KeepingCarrier
from rind.transport.loop_wire import LoopWire

if TYPE_CHECKING:
    from rind.transport.carrier import Carrier

Carry = Callable[[str], "Carrier"]


class Kept(KeepingCarrier):
    """The library's own carrier, at an engine's address."""

    def __init__(self, url: str) -> None:
        super().__init__(PlainDialer(url, LoopWire))


class Pooled(PooledCarrier):
    """The carrier over an aiodocker client, which it closes."""

    def __init__(self, url: str) -> None:
        self._own = docker_at(Endpoint(url, "the test"), (1, 24))
        super().__init__(self._own)

    async def aclose(self) -> None:
        await self._own.session.close()


by_each_carrier = pytest.mark.parametrize("carry", [Pooled, Kept], ids=["pooled", "kept"])


@asynccontextmanager
async def opened(url: str, carry: Carry) -> AsyncIterator[Engine]:
    async with Engine(Endpoint(url, "the test"), carry(url)) as engine:
        yield engine
