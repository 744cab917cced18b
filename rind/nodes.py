"""The nodes of a swarm whose manager the client's engine is: each is connected to when needed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Generic, Protocol, TypeVar

from rind.decide.swarm import last_error, node_of, tasks_up
from rind.engine.docker_config import context_names
from rind.engine.endpoint import resolve_endpoint
from rind.errors import RindError, SelectionError, Unreachable
from rind.model import SWARM
from rind.quoting import quoted
from rind.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rind.decide.selection import Wanted
    from rind.engine.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.model import Container
    from rind.swarm_model import Node, Swarm

__all__ = ["Nodes"]


class Client(Protocol):
    """A client of a node's engine."""

    async def container(self, name: str) -> Container:
        """Return a container by its ID."""
        ...


C = TypeVar("C", bound=Client)


class Nodes(Generic[C]):
    """The nodes' engines.

    Args:
        manager: the client's own engine, which may be no manager at all.
        environ: the variables that say where docker's contexts are.
        client_of: returns a client of another engine.

    Attributes:
        swarm: what the manager said last; None before it was asked, and where it is none.
    """

    def __init__(
        self,
        manager: Engine,
        environ: Mapping[str, str],
        client_of: Callable[[Endpoint], AbstractAsyncContextManager[C]],
    ) -> None:
        self.swarm: Swarm | None = None
        self._manager = manager
        self._environ = environ
        self._client_of = client_of
        self._clients: dict[str, C] = {}
        self._connecting = asyncio.Lock()
        self._open = AsyncExitStack()

    async def aclose(self) -> None:
        """Leave all that were connected to, as leaving their contexts does."""
        await self._open.aclose()

    async def tasks(self, wanted: Wanted) -> list[Container]:
        """Return the running tasks that fit; none where there is no swarm.

        Raises:
            EngineError: the engine failed, or its swarm has.
        """
        self.swarm = await self._manager.swarm()
        return [] if self.swarm is None else tasks_up(self.swarm, wanted)

    async def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers and the tasks elsewhere, if that can matter.

        It does where nothing else was found, and where what was found is of a swarm.
        """
        if local and not any(f"{SWARM}.service.name" in one.labels for one in local):
            return [*local]
        tasks = {task.id: task for task in await self.tasks(wanted)}
        here = [
            replace(one, node=tasks.pop(one.id).node) if one.id in tasks else one for one in local
        ]
        return [*here, *tasks.values()]

    def none_runs(self, wanted: Wanted) -> SelectionError | None:
        """Return what became of the last task that fits; None if there is none."""
        why = "" if self.swarm is None else last_error(self.swarm, wanted)
        return SelectionError(f"no running task of the swarm has {wanted}: {why}") if why else None

    async def reach(self, task: Container) -> tuple[C, Container]:
        """Return a client of the engine that runs a task, and the task as that engine has it.

        Raises:
            SelectionError: it is no task of the swarm, nobody says where the engine is, or the
                task has gone.
            Unreachable: the engine does not answer.
        """
        swarm = self.swarm = self.swarm or await self._manager.swarm()
        node = node_of(swarm, task) if swarm is not None else None
        if node is None:
            raise SelectionError(f"{task.title} is on no node of a swarm that is managed here")
        endpoint = self._endpoint(node)
        try:
            client = await self._client(endpoint)
            found = await client.container(task.id)
        except SelectionError:
            raise SelectionError(
                f"the task {task.title} is no longer on its node: the swarm has moved it; try again"
            ) from None
        except RindError as exc:
            raise Unreachable(f"the node {node.hostname} of {task.title}: {exc}") from exc
        return client, replace(found, node=task.node)

    async def _client(self, endpoint: Endpoint) -> C:
        async with self._connecting:
            if endpoint.url not in self._clients:
                client = self._client_of(endpoint)
                self._clients[endpoint.url] = await self._open.enter_async_context(client)
            return self._clients[endpoint.url]

    def _endpoint(self, node: Node) -> Endpoint:
        """Find a node's engine: by the node's label, or by a context of its name.

        Raises:
            SelectionError: neither is there.
            UsageError: what is there is invalid.
        """
        if node.host:
            return resolve_endpoint(self._environ, host=node.host, prefix="the node's label ")
        if node.hostname and node.hostname in context_names(self._environ):
            return resolve_endpoint(self._environ, context=node.hostname)
        name = quoted(node.hostname or node.id)
        raise SelectionError(
            f"it runs on the node {name}; say how to reach the engine there with: "
            f"docker node update --label-add app.rind.host=ssh://USER@{name} {name}"
        )
