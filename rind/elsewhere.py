"""Finds the tasks of a swarm that run on other nodes, and the way to the engines there.

The decisions are pure (:mod:`rind.decide.swarm`). As in :mod:`rind.resolve`, nothing here needs an
event loop.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial

from rind.decide.selection import Selected, Wanted, select
from rind.decide.swarm import has_wanted, is_name, last_error, node_id_of, starting, tasks_up
from rind.engine.docker_config import context_names
from rind.engine.endpoint import resolve_endpoint
from rind.engine.manager import NoManager, ask_manager
from rind.errors import EngineError, Refused, RindError, SelectionError, Unreachable
from rind.quoting import quoted
from rind.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Protocol

    from rind.engine.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.model import Caller, Container, EngineInfo
    from rind.swarm_model import Node, Swarm

    class Source(Protocol):
        """What knows of an engine's containers: the engine, or a client of it."""

        async def container(self, name: str) -> Container:
            """Return a container by its ID."""

        async def info(self) -> EngineInfo:
            """Return what the engine says of itself."""


__all__ = ["Elsewhere", "at_node", "chosen", "seen_there"]


class Elsewhere:
    """The tasks that the manager of a swarm knows of.

    Args:
        manager: which may be none at all.
        environ: the variables that say where docker's contexts are.

    Attributes:
        swarm: what the manager said last; None before it was asked, and where it is none.
    """

    def __init__(self, manager: Engine, environ: Mapping[str, str]) -> None:
        self.swarm: Swarm | None = None
        self._manager = manager
        self._environ = environ
        self._nodes: dict[str, Node] = {}

    async def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and the running tasks that do, wherever they are.

        Raises:
            EngineError: the swarm cannot be asked, and nothing was found, or something of a swarm.
        """
        try:
            self.swarm = await self._ask(wanted)
        except NoManager:
            return [*local]
        except EngineError:
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
            what = "this engine is a worker of a swarm: only a manager knows the other nodes"
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
        self._nodes.update(swarm.nodes)
        return swarm

    async def way(self, task: Container) -> tuple[Node, Endpoint]:
        """Return the node of a task, and where its engine is.

        The node's label says that, or else the docker context of its host name.

        Raises:
            SelectionError: neither is there, or it is no task of the swarm.
            UsageError: what is there is invalid.
        """
        node = await self._node_of(task)
        if node.host:
            prefix = "the label app.rind."
            return node, resolve_endpoint(self._environ, host=node.host, prefix=prefix)
        if node.hostname not in {"", "default"} and node.hostname in context_names(self._environ):
            return node, resolve_endpoint(self._environ, context=node.hostname)
        name = quoted(node.hostname or node.id)
        raise SelectionError(
            f"{task.title} runs on the node {name}; say how to reach the engine there with: "
            f"docker node update --label-add app.rind.host=ssh://USER@{name} {name}"
        )

    async def _node_of(self, task: Container) -> Node:
        number = node_id_of(task)
        if number not in self._nodes and is_name(task.name):
            with suppress(NoManager):
                await self._ask(Wanted(container=task.name))
        if number not in self._nodes:
            raise SelectionError(f"{task.title} is on no node of a swarm that is managed here")
        return self._nodes[number]


def chosen(tasks: Sequence[Container], wanted: Wanted, caller: Caller) -> Selected:
    """Choose one of the tasks that fit.

    Raises:
        AmbiguousError: several do.
    """
    selected = select(tasks, [], wanted, caller)
    return selected if wanted.container is None else Selected(selected.container, "named")


@contextmanager
def at_node(node: Node, task: Container) -> Iterator[None]:
    """Say of a failure at which node it was, and for which task."""
    try:
        yield
    except SelectionError:
        raise
    except RindError as exc:
        raise Unreachable(f"the node {node.hostname} of {task.title}: {exc}") from exc


async def seen_there(engine: Source, task: Container, node: Node, endpoint: Endpoint) -> Container:
    """Return a task as the engine of its node has it.

    Raises:
        SelectionError: the task has gone, or the engine is another one than the node's.
        EngineError: the engine failed.
    """
    try:
        found = await engine.container(task.id)
    except (SelectionError, Refused):
        if (await engine.info()).node_id == node.id:
            what = f"the task {task.title} is no longer on its node: the swarm has moved it"
            raise SelectionError(f"{what}; try again") from None
    else:
        # A manager must not have us run something in any container that it knows the ID of.
        if node_id_of(found) == node.id:
            return replace(found, node=task.node)
    raise SelectionError(
        f"{task.title} is not on {endpoint.url}: that is another engine than the one of the node "
        f"{node.hostname}; correct {endpoint.source}"
    )
