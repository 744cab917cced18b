"""Clients of the engines of a swarm's nodes: each is connected to when it is needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Final, Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from rind.endpoint.endpoint import Endpoint

__all__ = ["Nodes"]

_AT_ONCE: Final = 16
"""Engines that are connected to at once: over ssh, each is a process, and a manager may name any
number of them."""

C = TypeVar("C")


class Nodes(Generic[C]):
    """The nodes' engines.

    Args:
        client_of: returns a client of an engine.
    """

    def __init__(self, client_of: Callable[[Endpoint], AbstractAsyncContextManager[C]]) -> None:
        self._client_of = client_of
        self._clients: dict[str, C] = {}
        self._open: list[AsyncExitStack] = []
        self._connecting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._few = asyncio.Semaphore(_AT_ONCE)
        self._is_closed = False

    async def aclose(self) -> None:
        """Leave all that were connected to, at once, as leaving their contexts does."""
        self._is_closed = True
        await asyncio.gather(*(client.aclose() for client in self._open), return_exceptions=True)

    async def client(self, endpoint: Endpoint) -> C:
        """Return the open client of an engine; connect at the first call.

        Raises:
            EngineError: the engine does not answer.
            RuntimeError: it is closed.
        """
        async with self._connecting[endpoint.url]:
            if endpoint.url not in self._clients:
                async with self._few, AsyncExitStack() as stack:
                    client = await stack.enter_async_context(self._client_of(endpoint))
                    if self._is_closed:
                        raise RuntimeError("the client was closed meanwhile")
                    self._open.append(stack.pop_all())
                    self._clients[endpoint.url] = client
            return self._clients[endpoint.url]
