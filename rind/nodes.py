"""Clients of the engines of a swarm's nodes: each is connected to when it is needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

from rind.elsewhere import at_node, seen_there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from rind.elsewhere import Elsewhere, Source
    from rind.engine.endpoint import Endpoint
    from rind.model import Container

    C = TypeVar("C", bound=Source)
else:
    C = TypeVar("C")

__all__ = ["Nodes"]


class Nodes(Generic[C]):
    """The nodes' engines.

    Args:
        elsewhere: finds the way to them.
        client_of: returns a client of an engine.
    """

    def __init__(
        self,
        elsewhere: Elsewhere,
        client_of: Callable[[Endpoint], AbstractAsyncContextManager[C]],
    ) -> None:
        self._elsewhere = elsewhere
        self._client_of = client_of
        self._clients: dict[str, C] = {}
        self._connecting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._open = AsyncExitStack()

    async def aclose(self) -> None:
        """Leave all that were connected to, as leaving their contexts does."""
        await self._open.aclose()

    async def reach(self, task: Container) -> tuple[C, Container]:
        """Return a client of the engine that runs a task, and the task as that engine has it.

        Raises:
            SelectionError: it is no task of the swarm, nobody says where the engine is, or the
                task has gone.
            Unreachable: the engine does not answer.
        """
        node, endpoint = await self._elsewhere.way(task)
        with at_node(node, task):
            client = await self._client(endpoint)
            return client, await seen_there(client, task, node, endpoint)

    async def _client(self, endpoint: Endpoint) -> C:
        async with self._connecting[endpoint.url]:
            if endpoint.url not in self._clients:
                client = self._client_of(endpoint)
                self._clients[endpoint.url] = await self._open.enter_async_context(client)
            return self._clients[endpoint.url]
