"""Finds the tasks of a swarm that run on other nodes, and the addresses of the engines there.

The decisions are pure (:mod:`rind.decide.swarm`). As in :mod:`rind.find.finder`, nothing here
needs an event loop.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus

from rind.base.quoting import quoted
from rind.base.records import replace
from rind.decide.refusal import why_none
from rind.decide.selection import Narrowed, narrow, select, select_all
from rind.decide.swarm import (
    has_wanted,
    is_name,
    last_error,
    merged,
    node_id_of,
    starting,
    tasks_up,
)
from rind.decide.wanted import Wanted
from rind.endpoint.docker_config import context_names
from rind.endpoint.endpoint import resolve_endpoint
from rind.engine.manager import NoManager, ask_manager
from rind.errors import EngineError, Refused, RindError, SelectionError, Unreachable, UsageError
from rind.model import Swarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rind.decide.selection import Selected
    from rind.endpoint.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.model import Caller, Container, Node

__all__ = ["Elsewhere", "NoWayError", "at_node", "seen_there"]


class NoWayError(SelectionError):
    """The node's engine has no address, or a wrong one; waiting cannot help."""


class Elsewhere:
    """The tasks that the manager of a swarm knows of.

    Args:
        manager: an engine, which need not be a manager.
        environ: the variables that say where docker's contexts are.

    Attributes:
        is_managed: whether the engine is a manager; None before the first request.
    """

    def __init__(self, manager: Engine, environ: Mapping[str, str]) -> None:
        self.is_managed: bool | None = None
        self._swarm = Swarm({}, {}, [])
        self._manager = manager
        self._environ = environ
        self._nodes: dict[str, Node] = {}

    async def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and the running tasks that do, wherever they are.

        Raises:
            SelectionError: a local one is a task, and the swarm cannot list the other tasks.
        """
        try:
            self._swarm = await self._ask(wanted)
        except (NoManager, EngineError) as exc:
            is_there = not isinstance(exc, NoManager) or exc.is_worker
            if is_there and any(one.is_task for one in local):
                what = f"only the tasks on this node are known: {_why(exc)}"
                raise SelectionError(what) from exc
            return [*local]  # a broken swarm must not keep local containers from use
        return merged(local, self._swarm, wanted)

    async def in_place_of(self, missing: SelectionError, wanted: Wanted) -> list[Container]:
        """Return the running tasks that fit, where no container here does.

        Raises:
            SelectionError: ``missing``, or the state of the last task that fits.
        """
        if wanted.container is not None and not is_name(wanted.container):
            raise missing
        try:
            self._swarm = await self._ask(wanted)
            if tasks := tasks_up(self._swarm, wanted):
                return tasks
            why = last_error(await self._ask(wanted, past=True), wanted)
        except (NoManager, EngineError) as exc:
            if isinstance(exc, NoManager) and not exc.is_worker:
                raise missing from None
            raise SelectionError(f"{missing}; {_why(exc)}") from exc
        if not why:
            raise missing
        raise SelectionError(f"no running task of the swarm has {wanted}: {why}")

    def starting(self, wanted: Wanted) -> list[Container]:
        """Return the tasks that fit and were about to run at the last request."""
        return starting(self._swarm, wanted)

    @staticmethod
    def choose(tasks: Sequence[Container], wanted: Wanted, caller: Caller) -> Selected:
        """Choose one of the running tasks that fit.

        Raises:
            AmbiguousError: several do.
            NoContainerError: none does where the caller stands.
        """
        left = Narrowed(tasks) if wanted.container is not None else narrow(tasks, wanted, caller)
        selected = select(left, wanted, caller)
        if selected is None:
            raise why_none(left, wanted, caller, tasks)
        return selected if wanted.container is None else replace(selected, reason="named")

    @classmethod
    def choose_all(
        cls, tasks: Sequence[Container], wanted: Wanted, caller: Caller
    ) -> list[Selected]:
        """Choose all of the running tasks that fit, by name; never an empty list.

        Raises:
            NoContainerError: none does where the caller stands.
        """
        if wanted.container is not None:
            return [cls.choose(tasks, wanted, caller)]
        left = narrow(tasks, wanted, caller)
        found = select_all(left, wanted)
        if not found:
            raise why_none(left, wanted, caller, tasks)
        return found

    async def _ask(self, wanted: Wanted, *, past: bool = False) -> Swarm:
        self.is_managed = True
        try:
            swarm = await ask_manager(self._manager, partial(has_wanted, wanted=wanted), past=past)
        except NoManager:
            self.is_managed = False
            raise
        self._nodes.update(swarm.nodes)
        return swarm

    async def way(self, task: Container) -> tuple[Node, Endpoint]:
        """Return the node of a task, and the endpoint of its engine.

        The endpoint is that of the node's label, or of the docker context with its host name.

        Raises:
            NoWayError: the node has neither, or it is invalid.
            SelectionError: the container is no task of the swarm.
        """
        node = await self._node_of(task)
        name = quoted(node.hostname or node.id)
        try:
            if node.host:
                prefix = "the label app.rind."
                return node, resolve_endpoint(self._environ, host=node.host, prefix=prefix)
            if name != "default" and name in context_names(self._environ):
                return node, resolve_endpoint(self._environ, context=name)
        except UsageError as exc:
            raise NoWayError(f"{task.title} runs on the node {name}: {exc}") from exc
        raise NoWayError(
            f"{task.title} runs on the node {name}, whose engine has no address; set it with: "
            f"docker node update --label-add app.rind.host=ssh://USER@{name} {name}"
        )

    async def _node_of(self, task: Container) -> Node:
        number = node_id_of(task)
        if number not in self._nodes and is_name(task.name):
            with suppress(NoManager):
                await self._ask(Wanted(container=task.name))
        node = None if number is None else self._nodes.get(number)
        if node is None:
            raise SelectionError(
                f"this engine does not know the node of {task.title}; "
                "connect to a manager of its swarm"
            )
        return node


def _why(exc: NoManager | EngineError) -> str:
    """Return the reason why a swarm lists no tasks."""
    if isinstance(exc, NoManager):
        return "this engine is a worker of a swarm; connect to a manager, which knows all tasks"
    said = exc.text if isinstance(exc, Refused) else str(exc)
    return f"the swarm does not answer: {said.rpartition(' desc = ')[2]}"  # of a gRPC error


@contextmanager
def at_node(node: Node, task: Container) -> Iterator[None]:
    """Add the node and the task to the message of a failure."""
    try:
        yield
    except SelectionError:
        raise
    except RindError as exc:
        raise Unreachable(f"the node {node.hostname} of {task.title}: {exc}") from exc


async def seen_there(engine: Engine, task: Container, node: Node, endpoint: Endpoint) -> Container:
    """Return a task's container from the engine of its node.

    Raises:
        SelectionError: the task has gone.
        NoWayError: the engine is not the node's.
        EngineError: the engine failed.
    """
    try:
        found = await engine.container(task.id)
    except Refused as exc:
        if exc.http_status != HTTPStatus.NOT_FOUND:
            raise
        if (await engine.info()).node_id == node.id:
            what = f"the task {task.title} is no longer on its node: the swarm has moved it"
            raise SelectionError(f"{what}; try again") from None
    else:
        # Else a manager could make us run a command in any container whose ID it knows.
        if node_id_of(found) == node.id:
            return replace(found, node=task.node)
    raise NoWayError(
        f"{task.title} is not on {endpoint.url}: that is not the engine of the node "
        f"{node.hostname}; correct {endpoint.source}"
    )
