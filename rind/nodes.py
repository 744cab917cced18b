"""The nodes of a swarm whose manager the client's engine is: each is connected to when needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Generic, Protocol, TypeVar

from rind.decide.selection import Wanted
from rind.decide.swarm import has_wanted, is_name, last_error, node_id_of, starting, tasks_up
from rind.engine.docker_config import context_names
from rind.engine.endpoint import resolve_endpoint
from rind.engine.manager import NoManager, ask_manager
from rind.errors import Refused, RindError, SelectionError, Unreachable
from rind.quoting import quoted
from rind.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rind.engine.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.model import Container, EngineInfo
    from rind.swarm_model import Node, Swarm

__all__ = ["Nodes"]


class Client(Protocol):
    """A client of a node's engine."""

    async def container(self, name: str) -> Container:
        """Return a container by its ID."""
        ...

    async def info(self) -> EngineInfo:
        """Return what the engine says of itself."""
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
        self._known: dict[str, Node] = {}
        self._clients: dict[str, C] = {}
        self._connecting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._open = AsyncExitStack()

    async def aclose(self) -> None:
        """Leave all that were connected to, as leaving their contexts does."""
        await self._open.aclose()

    async def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and the running tasks that do, wherever they are.

        Raises:
            Refused: the swarm cannot be asked, and all that was found is of it.
        """
        try:
            self.swarm = await self._ask(wanted)
        except NoManager:
            return [*local]
        except Refused:
            if local and not any(one.is_task for one in local):
                return [*local]  # a swarm that is out of order is in nobody's way
            raise
        tasks = {task.id: task for task in tasks_up(self.swarm, wanted)}
        here = [
            replace(one, node=tasks.pop(one.id).node) if one.id in tasks else one for one in local
        ]
        return [*here, *tasks.values()]

    async def in_place_of(self, missing: SelectionError, wanted: Wanted) -> list[Container]:
        """Return the running tasks that fit, where no container here does.

        Raises:
            SelectionError: ``missing``, or what became of the last task that fits.
        """
        if wanted.container is not None and not is_name(wanted.container):
            raise missing
        try:
            self.swarm = await self._ask(wanted)
            if tasks := tasks_up(self.swarm, wanted):
                return tasks
            why = last_error(await self._ask(wanted, past=True), wanted)
        except NoManager as exc:
            if not exc.is_worker:
                raise missing from None
            what = "this engine is a worker of its swarm: a manager knows what runs elsewhere"
            raise SelectionError(f"{missing}; {what}") from None
        except Refused as exc:
            what = exc.text.rpartition(" desc = ")[2]  # of a gRPC error
            raise SelectionError(f"{missing}; the swarm cannot be asked: {what}") from exc
        if not why:
            raise missing
        raise SelectionError(f"no running task of the swarm has {wanted}: {why}")

    def starting(self, wanted: Wanted) -> list[Container]:
        """Return the tasks that fit and were about to run, when the manager was asked last."""
        return [] if self.swarm is None else starting(self.swarm, wanted)

    async def _ask(self, wanted: Wanted, *, past: bool = False) -> Swarm:
        swarm = await ask_manager(self._manager, partial(has_wanted, wanted=wanted), past=past)
        self._known.update(swarm.nodes)
        return swarm

    async def reach(self, task: Container) -> tuple[C, Container]:
        """Return a client of the engine that runs a task, and the task as that engine has it.

        Raises:
            SelectionError: it is no task of the swarm, nobody says where the engine is, or the
                task has gone.
            Unreachable: the engine does not answer.
        """
        node = await self._node_of(task)
        endpoint = self._endpoint(node, task)
        try:
            client = await self._client(endpoint)
            found = await client.container(task.id)
        except SelectionError:
            raise await self._why_gone(node, task, endpoint) from None
        except RindError as exc:
            raise Unreachable(f"the node {node.hostname} of {task.title}: {exc}") from exc
        return client, replace(found, node=task.node)

    async def _node_of(self, task: Container) -> Node:
        number = node_id_of(task)
        if number not in self._known and is_name(task.name):
            with suppress(NoManager):
                await self._ask(Wanted(container=task.name))
        if number not in self._known:
            raise SelectionError(f"{task.title} is on no node of a swarm that is managed here")
        return self._known[number]

    async def _why_gone(self, node: Node, task: Container, endpoint: Endpoint) -> SelectionError:
        """Say why a node's engine does not have a task."""
        if (await (await self._client(endpoint)).info()).node_id != node.id:
            return SelectionError(
                f"{task.title} is not on {endpoint.url}: that is another engine than the one of "
                f"the node {node.hostname}; correct {endpoint.source}"
            )
        return SelectionError(
            f"the task {task.title} is no longer on its node: the swarm has moved it; try again"
        )

    async def _client(self, endpoint: Endpoint) -> C:
        async with self._connecting[endpoint.url]:
            if endpoint.url not in self._clients:
                client = self._client_of(endpoint)
                self._clients[endpoint.url] = await self._open.enter_async_context(client)
            return self._clients[endpoint.url]

    def _endpoint(self, node: Node, task: Container) -> Endpoint:
        """Find a node's engine: by the node's label, or by a context of its name.

        Raises:
            SelectionError: neither is there.
            UsageError: what is there is invalid.
        """
        if node.host:
            return resolve_endpoint(self._environ, host=node.host, prefix="its label app.rind.")
        if node.hostname not in {"", "default"} and node.hostname in context_names(self._environ):
            return resolve_endpoint(self._environ, context=node.hostname)
        name = quoted(node.hostname or node.id)
        raise SelectionError(
            f"{task.title} runs on the node {name}; say how to reach the engine there with: "
            f"docker node update --label-add app.rind.host=ssh://USER@{name} {name}"
        )
