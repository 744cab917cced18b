"""A client of one engine: finds containers, and owns the commands that are open."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial
from typing import Final, Self, Unpack

from rind.base.deadline import Deadline
from rind.decide.profile import DEFAULT_LABEL
from rind.decide.selection import Wanted
from rind.endpoint.endpoint import resolve_endpoint
from rind.engine.engine import REQUEST_TIMEOUT, Engine
from rind.errors import SelectionError, Unreachable
from rind.execution.session import Session
from rind.execution.tasks import Tasks, persistent, shielded
from rind.find.caller import find_caller
from rind.find.finder import Finder
from rind.find.nodes import Nodes
from rind.find.resolve import is_elsewhere
from rind.find.waiting import until_fit
from rind.keywords import WantedFields, check_keywords
from rind.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from rind.decide.selection import Selected
    from rind.endpoint.endpoint import Endpoint
    from rind.find.blocking import EarlyClient
    from rind.model import Caller, Container, EngineInfo

__all__ = ["Client", "client_at", "connect", "going_on"]

_log: Final = logging.getLogger(__name__)

_LOOK_AGAIN: Final = 1.0
"""Seconds after which a swarm is asked again for a task."""


def client_at(
    endpoint: Endpoint,
    environ: Mapping[str, str],
    *,
    timeout: float = REQUEST_TIMEOUT,
    is_program: bool = False,
    may_ask: bool = True,
) -> Client:
    """Return a client of the engine at an endpoint.

    Args:
        endpoint: where it is.
        environ: as :func:`connect` has it.
        timeout: the same.
        is_program: whether messages are for a program that uses the library.
        may_ask: whether ssh may ask the user for something.
    """
    caller = find_caller(environ, endpoint.url, is_program=is_program)
    return Client(Engine(endpoint, timeout=timeout, may_ask=may_ask), caller, environ)


def connect(
    host: str | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = REQUEST_TIMEOUT,
) -> Client:
    """Return a client of one engine, to be used as an async context manager.

        async with rind.connect() as client:
            print(await client.versions())

    Args:
        host: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host/path``; by default the
            engine is found as the docker command finds it, and then at the usual places of others.
        context: the name of a docker context.
        environ: the variables that may say where the engine is, and that a container's profile
            may ask for; by default ``os.environ``.
        timeout: seconds for connecting, and for each answer of the engine's. What a command takes
            is no part of that.

    Raises:
        UsageError: the host or the context is invalid.
    """
    environ = os.environ if environ is None else environ
    endpoint = resolve_endpoint(environ, host=host, context=context, prefix="")
    return client_at(endpoint, environ, timeout=timeout, is_program=True, may_ask=False)


def going_on(early: EarlyClient) -> Client:
    """Return a client that goes on with what one without an event loop has started."""
    return Client(early.engine_for_a_loop(), early.caller, early.environ)


class Client:
    """A connection to one engine; many commands may run at once. Made by :func:`connect`.

    Leaving its context ends the commands that are still in use, as leaving theirs would.
    """

    def __init__(
        self, engine: Engine, caller: Caller, environ: Mapping[str, str] | None = None
    ) -> None:
        self.endpoint = engine.endpoint
        self.caller = caller
        environ = os.environ if environ is None else environ
        self._engine = engine
        self._session = Session(engine)
        self._finder = Finder(engine, caller, environ)
        self._nodes = Nodes(
            partial(
                client_at,
                environ=environ,
                timeout=engine.timeout,
                is_program=caller.is_program,
                may_ask=engine.may_ask,
            ),
        )

    def __repr__(self) -> str:
        return f"<Client of {self.endpoint.url} (from {self.endpoint.source})>"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or what answers is not a Docker Engine.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "rind needs asyncio's event loop, and none is running here: "
                "use rind.connect_sync(), or run it under asyncio"
            ) from None
        begun = time.monotonic()
        await self._engine.__aenter__()
        version = "{}.{}".format(*self._engine.dialect.api_version)
        took = time.monotonic() - begun
        _log.debug("connected to %s, API %s, in %.3f s", self.endpoint.url, version, took)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await shielded(asyncio.create_task(self._close()))

    async def _close(self) -> None:
        try:
            await persistent(self._end_commands)
            await persistent(self._session.trees.aclose)
        finally:
            await self._engine.aclose()

    async def _end_commands(self) -> None:
        """End those here, and those on other nodes, all at once."""
        await asyncio.gather(self._session.end_commands(), self._nodes.aclose())

    @property
    def engine(self) -> Engine:
        """The engine, for this package."""
        return self._engine

    async def find(
        self,
        wanted: Wanted | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # the error says whose time is over
        follow: bool = False,
        **fields: Unpack[WantedFields],
    ) -> Target:
        """Find the one container to run in, as the command line does.

            web = await client.find(service="web")

        Args:
            wanted: the conditions; or give its attributes as keywords.
            timeout: in seconds; None for no limit but the client's for each request.
            follow: whether the target finds the container anew before a command, with the same
                conditions, when the one that it has was recreated.

        Raises:
            AmbiguousError: several fit.
            SelectionError: none does, or it is not running.
            Unreachable: the time is over.
            EngineError: the engine failed.
        """
        wanted = _asked(wanted, fields)

        def timed_out() -> Unreachable:
            return Unreachable(f"{self.endpoint.url} has not answered within {timeout:g} s")

        async with Deadline(timeout).limit(timed_out):
            found = await self._find(wanted)
        return found.following(partial(self._find, wanted)) if follow else found

    async def _find(self, wanted: Wanted) -> Target:
        return await self._reach(await self._finder.find(wanted), wanted)

    async def _reach(self, selected: Selected, wanted: Wanted) -> Target:
        container, reason = selected.container, selected.reason
        _log.debug("chose the container %s: %s", container.name, reason)
        return await self.reach(container, wanted.label, reason=reason)

    async def reach(
        self, container: Container, label: str = DEFAULT_LABEL, *, reason: str = "chosen"
    ) -> Target:
        """Do what :meth:`target` does, for a swarm's task too: on the engine of its node.

            for container in await client.containers(service="web"):
                print(await client.reach(container))

        Raises:
            SelectionError: nobody says where the engine is, or the task has gone.
            EngineError: the engine there failed.
        """
        client, found = await self._finder.reach(container, self._nodes.client)
        return (client or self).target(found, label, reason=reason)

    async def container(self, name: str) -> Container:
        """Return the container of a name, an ID or a unique prefix of one, running or not.

            print((await client.container(web.container.name)).state)

        Raises:
            SelectionError: there is none.
            EngineError: the engine failed.
        """
        return await self._finder.named(name)

    async def wait_for(
        self,
        wanted: Wanted | None = None,
        told: Callable[[str], None] = lambda _: None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # the error says what was missing
        **fields: Unpack[WantedFields],
    ) -> Target:
        """Find the one container to run in, as soon as it runs, and is healthy if that is checked.

            web = await client.wait_for(service="web", timeout=60)

        Args:
            wanted: the conditions; or give its attributes as keywords.
            told: is called with what is waited for, first and whenever something changed.
            timeout: in seconds; None for no limit.

        Raises:
            AmbiguousError: several fit.
            SelectionError: the time is over; it says what was missing.
            EngineError: the engine failed.
        """
        asked = _asked(wanted, fields)

        async def find() -> list[Target]:
            return [await self.find(asked)]

        [target] = await self._wait(find, told, timeout)
        return target

    async def wait_for_all(
        self,
        wanted: Wanted | None = None,
        told: Callable[[str], None] = lambda _: None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # as above
        **fields: Unpack[WantedFields],
    ) -> list[Target]:
        """Find every container that fits, once there is one and all that are up can be used.

            replicas = await client.wait_for_all(service="web", timeout=60)

        Args:
            wanted: the conditions; or give its attributes as keywords.
            told: as :meth:`wait_for` has it.
            timeout: the same.

        Raises:
            SelectionError: the same.
            EngineError: the engine failed.
        """
        asked = _asked(wanted, fields)

        async def find() -> list[Target]:
            await self._finder.require_started(asked)
            return await self.find_all(asked)

        return await self._wait(find, told, timeout)

    async def _wait(
        self,
        find: Callable[[], Awaitable[list[Target]]],
        told: Callable[[str], None],
        seconds: float | None,
    ) -> list[Target]:
        def look_again() -> float | None:
            # A manager tells no events of the other nodes' containers.
            return _LOOK_AGAIN if self._finder.elsewhere.is_managed else None

        async def find_by_now() -> list[Target]:
            try:
                return await find()
            except Unreachable as exc:
                if not self._finder.elsewhere.is_managed:
                    raise
                # A swarm does not know at once of a node that is down.
                raise SelectionError(str(exc)) from exc

        return await until_fit(self._engine.changes(), find_by_now, told, seconds, look_again)

    async def containers(
        self,
        wanted: Wanted | None = None,
        *,
        stopped: bool = False,
        **fields: Unpack[WantedFields],
    ) -> list[Container]:
        """List the containers that are up, paused ones too, and that could be wanted.

        Wherever they are: the caller's place is of no account.

            for container in await client.containers(project="shop"):
                print(container.name, container.state)

        Of a swarm, those on other nodes too, if it can be asked: then each task's node is known.

        Args:
            wanted: the conditions; or give its attributes as keywords.
            stopped: whether to list those that are not up, too.

        Raises:
            SelectionError: there is no container of the wanted name.
            EngineError: the engine failed.
        """
        return await self._finder.containers(_asked(wanted, fields), stopped=stopped)

    async def versions(self) -> tuple[str, str]:
        """Return the engine's version, and that of the API that is spoken with it.

            engine, api = await client.versions()

        Raises:
            EngineError: the engine failed.
        """
        return await self._engine.version(), "{}.{}".format(*self._engine.dialect.api_version)

    async def info(self) -> EngineInfo:
        """Return what the engine says of itself.

            print((await client.info()).is_rootless)

        Raises:
            EngineError: the engine failed.
        """
        return await self._engine.info()

    async def find_all(
        self, wanted: Wanted | None = None, **fields: Unpack[WantedFields]
    ) -> list[Target]:
        """Find every running container that fits, by name; never none.

        In a place, as in a Compose project's folder, those are the place's; with
        ``everywhere=True`` and in no place, all of the engine's, or of its swarm's.

            for target in await client.find_all(project="shop"):
                print((await target.run(["cat", "/etc/hostname"])).stdout)

        Args:
            wanted: the conditions; or give its attributes as keywords.

        Raises:
            SelectionError: none does; or some are of a swarm, and not all can be found or reached.
            EngineError: the engine failed.
        """
        wanted = _asked(wanted, fields)
        found = await self._finder.find_all(wanted)
        tasks = Tasks()
        try:
            reaching = [tasks.spawn(self._reach(selected, wanted)) for selected in found]
            return await asyncio.gather(*reaching)
        finally:
            await tasks.cancel()  # after a failure, the others

    async def running(self, labels: Sequence[str] = ()) -> list[Container]:
        """List the running containers that have all of ``labels``, each ``KEY`` or ``KEY=value``.

            print([container.name for container in await client.running()])

        Raises:
            EngineError: the engine failed.
        """
        up = await self._engine.containers(labels, up=True)
        return [container for container in up if container.state == "running"]

    def target(
        self, container: Container, label: str = DEFAULT_LABEL, *, reason: str = "chosen"
    ) -> Target:
        """Return what runs commands in ``container``, as the labels that begin so say.

            container = await client.container(web.container.name)
            print((await client.target(container).run(["cat", "/etc/hostname"])).stdout)

        It must be on this client's engine; for a swarm's task, see :meth:`reach`. A label that is
        unknown or invalid is told when a command is planned.
        """
        return Target(self._session, container, label, self.caller, reason=reason)

    def stands_elsewhere(self, container: Container) -> bool:
        """Return whether we are in a Compose project's folder, and ``container`` is of another's.

            assert not client.stands_elsewhere(web.container)

        Standing nowhere in particular is not elsewhere.
        """
        return is_elsewhere(container, self.caller)


def _asked(wanted: Wanted | None, fields: WantedFields) -> Wanted:
    check_keywords("find", fields, WantedFields)
    if wanted is not None and fields:
        raise TypeError(f"give a Wanted or its fields, not both: got {', '.join(fields)} too")
    return wanted or Wanted(**fields)
