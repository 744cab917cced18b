"""Finds the containers that a request asks for: on one engine, and in its swarm.

The decisions are pure (:mod:`rind.decide`); this module fetches their input from the engine.
Nothing here needs an event loop: over a carrier that blocks, these coroutines never suspend.

Goal: one answer for the command line and for the library, with and without an event loop.

Plan: look on the engine first. A swarm's manager is involved only where it can change the answer:
if no container here fits, if a task is among several that fit, or if all are wanted. Most runs find
one container here, and never load the swarm's modules.

Doubt: a manager that cannot be reached. If a task was found here, there may be more of its service
elsewhere, and the request for all is refused. Containers of no swarm are used as ever.
"""

from __future__ import annotations

from rind.base.records import replace
from rind.decide.selection import (
    AmbiguousError,
    NoContainerError,
    Selected,
    is_dev_container,
    may_be_a_dev_container,
    narrow,
    require_running,
    select,
    select_all,
)
from rind.decide.wanted import maps, matching
from rind.errors import Refused, SelectionError
from rind.find.caller import aliases, placed
from rind.find.within import as_seen_here
from rind.model import DEV_FOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeVar

    from rind.decide.selection import Narrowed
    from rind.decide.wanted import Wanted
    from rind.endpoint.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.find.elsewhere import Elsewhere
    from rind.model import Caller, Container

    C = TypeVar("C")

__all__ = ["Finder"]


class Finder:
    """Finds containers for one caller.

    Args:
        engine: where to look first; open.
        caller: the user's place: working directory, checkout, project.
        environ: the variables that say where docker's contexts are.
    """

    def __init__(self, engine: Engine, caller: Caller, environ: Mapping[str, str]) -> None:
        self.caller = caller
        self._engine = engine
        self._environ = environ
        self._elsewhere: Elsewhere | None = None

    @property
    def elsewhere(self) -> Elsewhere:
        """The tasks of the swarm that run on other nodes."""
        if self._elsewhere is None:
            from rind.find.elsewhere import Elsewhere

            self._elsewhere = Elsewhere(self._engine, self._environ)
        return self._elsewhere

    async def find(self, wanted: Wanted) -> Selected:
        """Find the one container to run in, and why. A task may be on another node.

        Raises:
            AmbiguousError: several fit.
            NoContainerError: no container fits, or none that fits runs.
            SelectionError: the named one is not running.
            EngineError: the engine failed.
        """
        try:
            return await self._find_here(wanted)
        except AmbiguousError as several:
            if not any(container.is_task for container in several.candidates):
                raise
            try:
                fit = await self.elsewhere.with_tasks(several.candidates, wanted)
            except SelectionError:  # there is no more to choose from
                raise several from None
        except SelectionError as missing:
            fit = await self._in_place_of(missing, wanted)
        return self.elsewhere.choose(fit, wanted, self.caller)

    async def find_all(self, wanted: Wanted) -> list[Selected]:
        """Find every running container that the rule leaves, by name; never an empty list.

        Raises:
            NoContainerError: no container fits, or none that fits runs.
            SelectionError: the named one is not running, or not all of a swarm's can be found.
            EngineError: the engine failed.
        """
        try:
            here = await self._find_all_here(wanted)
        except SelectionError as missing:
            fit = await self._in_place_of(missing, wanted)
        else:
            if wanted.container is not None or here[0].is_final:
                return here
            fit = await self.elsewhere.with_tasks([found.container for found in here], wanted)
            if not fit:
                stopping = NoContainerError(f"the swarm is stopping all that have {wanted}")
                fit = await self.elsewhere.in_place_of(stopping, wanted)
        return self.elsewhere.choose_all(fit, wanted, self.caller)

    async def containers(self, wanted: Wanted, *, stopped: bool = False) -> list[Container]:
        """List the containers that fit, on all nodes of a swarm, wherever the caller stands.

        Args:
            wanted: the conditions.
            stopped: whether to list also those that are not up.

        Raises:
            SelectionError: no container has the wanted name.
            EngineError: the engine failed.
        """
        try:
            local = await self._candidates(wanted, up=not stopped)
        except SelectionError as missing:
            return await self.elsewhere.in_place_of(missing, wanted)
        if wanted.container is not None:
            return local
        return await self.with_tasks(matching(local, wanted), wanted)

    async def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and a swarm's running tasks that do, if it is known.

        Raises:
            EngineError: the engine failed.
        """
        try:
            return await self.elsewhere.with_tasks(local, wanted)
        except SelectionError:
            return [*local]

    async def named(self, name: str) -> Container:
        """Find a container by its name, its ID or a unique prefix of its ID, running or not.

        Raises:
            SelectionError: no container has it.
            EngineError: the engine failed.
        """
        try:
            [found] = await as_seen_here(self._engine, [await self._engine.container(name)])
        except Refused as exc:
            from http import HTTPStatus

            from rind.decide.refusal import no_such_container

            everything = await self._engine.containers([])
            said = "" if exc.http_status == HTTPStatus.NOT_FOUND else exc.text
            raise no_such_container(name, self.caller, everything, said) from exc
        return found

    async def require_started(self, wanted: Wanted) -> None:
        """Check that no container that fits is about to start.

        Raises:
            SelectionError: one is; the message says which.
            EngineError: the engine failed.
        """
        await self.containers(wanted)  # so that the swarm's tasks are known below
        for container in (await self._narrowed(wanted)).containers:
            if container.state == "restarting":
                require_running(container)
        if starting := self.elsewhere.starting(wanted):
            raise SelectionError(f"{starting[0].title} has the state {starting[0].status}")

    async def reach(
        self, container: Container, connect: Callable[[Endpoint], Awaitable[tuple[C, Engine]]]
    ) -> tuple[C | None, Container]:
        """Return a running container as its engine has it now, and a client of that engine.

        Args:
            container: as it was found. Only a swarm's task may be on another engine.
            connect: connects to the engine of a node; returns a client and the open engine.

        Returns:
            The client, None for the engine here; and the container.

        Raises:
            SelectionError: the node's engine has no address, or the task has gone.
            EngineError: the engine there failed.
        """
        if not container.node:
            return None, require_running(container)
        try:
            found = replace(await self._engine.container(container.id), node=container.node)
        except Refused:
            found = None
        if found is not None:
            return None, require_running(found)
        from rind.find.elsewhere import at_node, seen_there

        node, endpoint = await self.elsewhere.way(container)
        with at_node(node, container):
            client, engine = await connect(endpoint)
            found = await seen_there(engine, container, node, endpoint)
        return client, require_running(found)

    async def _find_here(self, wanted: Wanted) -> Selected:
        if wanted.container is not None:
            return Selected(require_running(await self.named(wanted.container)), "named")
        left = await self._narrowed(wanted)
        selected = select(left, wanted, self.caller)
        if selected is None:
            raise await self._why_none(left, wanted)
        return selected

    async def _find_all_here(self, wanted: Wanted) -> list[Selected]:
        if wanted.container is not None:
            return [await self._find_here(wanted)]
        left = await self._narrowed(wanted)
        found = select_all(left, wanted)
        if not found:
            raise await self._why_none(left, wanted)
        return found

    async def _in_place_of(self, missing: SelectionError, wanted: Wanted) -> list[Container]:
        """Return the tasks that fit, where no container here does."""
        if isinstance(missing, NoContainerError) and missing.is_final:
            raise missing
        return await self.elsewhere.in_place_of(missing, wanted)

    async def _candidates(self, wanted: Wanted, *, up: bool = False) -> list[Container]:
        """List the containers among which the rule chooses, in any state, or only those up."""
        if wanted.container is not None:
            return [await self.named(wanted.container)]
        found = await self._engine.containers(wanted.filters, up=up)
        if wanted.swarm_filters and not matching(found, wanted):
            tasks = await self._engine.containers(wanted.swarm_filters, up=up)
            found += matching(tasks, wanted)
        return await as_seen_here(self._engine, found)

    async def _narrowed(self, wanted: Wanted) -> Narrowed:
        """Ask for the candidates, and narrow them by the rule."""
        found = placed(await self._candidates(wanted), self.caller)
        if wanted.paths:
            found = [
                replace(container, mounts=aliases(container.mounts, wanted.paths))
                if maps(container, wanted)
                else container
                for container in found
            ]
        left = narrow(found, wanted, self.caller)
        if may_be_a_dev_container(left, wanted, self.caller):
            known = {container.id for container in found}
            others = await self._placed([DEV_FOLDER])
            found += [
                container
                for container in others
                if container.id not in known and is_dev_container(container, self.caller)
            ]
            left = narrow(found, wanted, self.caller)
        return left

    async def _why_none(self, left: Narrowed, wanted: Wanted) -> NoContainerError:
        from rind.decide.refusal import why_none  # only a refusal needs it

        everything = [] if left.containers else await self._placed([])
        return why_none(left, wanted, self.caller, everything)

    async def _placed(self, labels: Sequence[str]) -> list[Container]:
        """List the containers with labels, in any state, with their checkouts."""
        found = await self._engine.containers(labels)
        return placed(await as_seen_here(self._engine, found), self.caller)
