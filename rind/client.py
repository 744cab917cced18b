"""A client of one engine: it finds containers, and owns the open commands."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import warnings
from functools import partial
from typing import Final, Self, Unpack

from rind.base.deadline import Deadline
from rind.decide.profile import DEFAULT_LABEL
from rind.decide.selection import Selected
from rind.decide.wanted import Wanted
from rind.endpoint.endpoint import resolve_endpoint
from rind.engine.api import REQUEST_TIMEOUT
from rind.engine.engine import Engine
from rind.errors import Unreachable, UsageError
from rind.execution.session import Session
from rind.execution.tasks import Tasks, carried_out, persistent
from rind.find.caller import find_caller
from rind.find.finder import Finder
from rind.find.nodes import Nodes
from rind.find.resolve import is_elsewhere
from rind.find.waiting import until_fit
from rind.keywords import ConnectOptions, WantedFields, takes
from rind.model import Container
from rind.target import Target
from rind.transport.choose import loop_carrier

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Protocol

    from rind.endpoint.endpoint import Endpoint
    from rind.engine.pooled import Docker
    from rind.find.blocking import EarlyClient
    from rind.model import Caller, EngineInfo

    class HasId(Protocol):
        """A container of another library."""

        @property
        def id(self) -> str:
            """The container's ID."""


__all__ = ["Client", "client_at", "connect", "continued"]

_log: Final = logging.getLogger(__name__)


def client_at(
    endpoint: Endpoint,
    environ: Mapping[str, str],
    *,
    timeout: float = REQUEST_TIMEOUT,
    is_program: bool = False,
    interactive: bool = True,
) -> Client:
    """Return a client of the engine at an endpoint.

    Args:
        endpoint: where it is.
        environ: our environment variables.
        timeout: seconds for connecting, and for each answer.
        is_program: whether the messages are for a program that uses the library.
        interactive: whether ssh may prompt the user.
    """
    caller = find_caller(environ, endpoint.url, is_program=is_program)
    carrier = None
    if not is_program:
        carrier = loop_carrier(endpoint, keeps=False, interactive=interactive)
    return Client(
        Engine(endpoint, carrier, timeout=timeout, interactive=interactive), caller, environ
    )


@takes(ConnectOptions)
def connect(
    host: str | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = REQUEST_TIMEOUT,
    docker: Docker | None = None,
) -> Client:
    """Return a client of one engine, to be used as an async context manager.

        async with rind.connect() as client:
            print(await client.versions())

    Args:
        host: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host/path``; by default the
            engine is found as the docker command finds it, and then at the default sockets of
            other engines.
        context: the name of a docker context.
        environ: the environment variables that may name the engine, and that a container's
            profile may pass to commands; by default ``os.environ``.
        timeout: seconds for connecting, and for each answer of the engine. It does not limit how
            long a command runs.
        docker: an ``aiodocker.Docker`` whose session and connections the client uses, in place of
            ``host`` and ``context``. It is left open.

    Raises:
        UsageError: the host or the context is invalid, or ``docker`` cannot carry commands: it
            uses TLS.
        TypeError, ValueError: a keyword is unknown, or its value is invalid.
    """
    environ = os.environ if environ is None else environ
    if docker is not None:
        if host is not None or context is not None:
            raise UsageError(
                "docker cannot be combined with host or context: it has an engine already"
            )
        from rind.engine.pooled import PooledCarrier, endpoint_of  # aiodocker is loaded already

        endpoint = endpoint_of(docker)
        caller = find_caller(environ, endpoint.url, is_program=True)
        engine = Engine(endpoint, PooledCarrier(docker), timeout=timeout, interactive=False)
        return Client(engine, caller, environ, docker=docker)
    endpoint = resolve_endpoint(environ, host=host, context=context, prefix="")
    return client_at(endpoint, environ, timeout=timeout, is_program=True, interactive=False)


def continued(early: EarlyClient) -> Client:
    """Return a client that takes over from a client without an event loop."""
    return Client(early.engine_for_a_loop(), early.caller, early.environ)


class Client:
    """A connection to one engine; many commands may run at once. Made by :func:`connect`.

    Leaving its context ends the commands that are still open, as leaving their own contexts does.
    """

    _is_open = False

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        environ: Mapping[str, str] | None = None,
        *,
        docker: Docker | None = None,
    ) -> None:
        self.endpoint = engine.endpoint
        self.caller = caller
        environ = os.environ if environ is None else environ
        self._engine = engine
        self._docker = docker
        self._own_docker: Docker | None = None
        self._session = Session(engine)
        self._finder = Finder(engine, caller, environ)
        self._nodes = Nodes(
            partial(
                client_at,
                environ=environ,
                timeout=engine.timeout,
                is_program=caller.is_program,
                interactive=engine.interactive,
            ),
        )

    def __del__(self) -> None:
        if self._is_open:
            what = f"unclosed {self!r}: use async with, or await its __aexit__()"
            warnings.warn(what, ResourceWarning, source=self, stacklevel=1)

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
        self._is_open = True
        version = self._engine.dialect.api
        took = time.monotonic() - begun
        _log.debug("connected to %s, API %s, in %.3f s", self.endpoint.url, version, took)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await carried_out(lambda: asyncio.create_task(self._close()))

    async def _close(self) -> None:
        self._is_open = False
        try:
            await persistent(self._end_commands)
            await persistent(self._session.trees.aclose)
        finally:
            docker, self._own_docker = self._own_docker, None
            if docker is not None:
                await docker.close()
                await docker.session.close()
            await self._engine.aclose()

    @property
    def docker(self) -> Docker:
        """The aiodocker client of the same engine: for images, logs and all else.

            print(len(await client.docker.images.list()))

        The one that was given to :func:`connect`, or one that is made now and closed with this
        client.

        Raises:
            UsageError: aiodocker cannot reach the engine, as with ssh.
            RuntimeError: the client is not connected.
        """
        if self._docker is not None:
            return self._docker
        if self._own_docker is None:
            from rind.engine.pooled import docker_at  # it takes 70 ms to load

            _ = self._engine.carrier  # raises, if it is not open
            self._own_docker = docker_at(self.endpoint, self._engine.dialect.api_version)
        return self._own_docker

    async def _end_commands(self) -> None:
        """End the commands on this engine and on other nodes, concurrently."""
        await asyncio.gather(self._session.end_commands(), self._nodes.aclose())

    @takes(WantedFields)
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
            follow: whether the target finds the container anew before each command, copy and
                :meth:`~rind.target.Target.refresh`, with the same conditions, if it was recreated.

        Raises:
            AmbiguousError: several containers fit.
            SelectionError: no container fits, or it is not running.
            Unreachable: the time is over.
            EngineError: the engine failed.
        """
        wanted = _asked(wanted, fields)

        def timed_out() -> Unreachable:
            return Unreachable(f"{self.endpoint.url} has not answered within {timeout:g} s")

        async with Deadline(timeout).limit(timed_out):
            return await self._find(wanted, follow=follow)

    async def _find(self, wanted: Wanted, *, follow: bool) -> Target:
        selected = await self._finder.find(wanted)
        find_again = partial(self._find, wanted, follow=False) if follow else None
        return await self._reach(selected, wanted.label, find_again)

    async def _reach(
        self,
        selected: Selected,
        label: str,
        find_again: Callable[[], Awaitable[Target]] | None = None,
    ) -> Target:
        _log.debug("chose the container %s: %s", selected.container.name, selected.reason)
        there, found = await self._finder.reach(selected.container, self._connect)
        session, caller = there or (self._session, self.caller)
        return Target(session, found, label, caller, reason=selected.reason, find_again=find_again)

    async def _connect(self, endpoint: Endpoint) -> tuple[tuple[Session, Caller], Engine]:
        """Connect to the engine of a node; return the surroundings of its targets, and itself."""
        client = await self._nodes.client(endpoint)
        session = client._session  # noqa: SLF001 # of another one of ours
        return (session, client.caller), session.engine

    async def reach(
        self,
        container: Container | HasId | str,
        label: str = DEFAULT_LABEL,
        *,
        reason: str = "chosen",
    ) -> Target:
        """Return a target for a container, or for a swarm's task on the engine of its node.

            for container in await client.containers(service="web"):
                print(await client.reach(container))

        Args:
            container: one of Rind's; or a name, an ID, or an object that has the ID, as aiodocker's
                ``DockerContainer`` has.
            label: the key of the label that has its profile.
            reason: why it was chosen.

        Raises:
            SelectionError: the node's engine has no address, or the container has gone, or does not
                run.
            EngineError: the engine there failed.
        """
        if not isinstance(container, Container):
            container = await self.container(container)
        return await self._reach(Selected(container, reason), label)

    async def container(self, name: str | HasId) -> Container:
        """Return the container with a name, an ID or a unique prefix of an ID, running or not.

            print((await client.container(web.container.name)).state)

        Args:
            name: one of these; or an object that has the ID, as aiodocker's ``DockerContainer``.

        Raises:
            SelectionError: no container has it.
            EngineError: the engine failed.
        """
        return await self._finder.named(name if isinstance(name, str) else name.id)

    @takes(WantedFields)
    async def wait_for(
        self,
        wanted: Wanted | None = None,
        on_missing: Callable[[str], None] = lambda _: None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # the error says what was missing
        **fields: Unpack[WantedFields],
    ) -> Target:
        """Find the one container to run in, once it runs, and is healthy if it has a health check.

            web = await client.wait_for(service="web", timeout=60)

        Args:
            wanted: the conditions; or give its attributes as keywords.
            on_missing: is called with the reason for waiting, at first and after each change.
            timeout: in seconds; None for no limit.

        Raises:
            AmbiguousError: several containers fit.
            SelectionError: the time is over; the message has the reason.
            EngineError: the engine failed.
        """
        asked = _asked(wanted, fields)

        async def find() -> list[Target]:
            return [await self.find(asked)]

        [target] = await self._wait(find, on_missing, timeout)
        return target

    @takes(WantedFields)
    async def wait_for_all(
        self,
        wanted: Wanted | None = None,
        on_missing: Callable[[str], None] = lambda _: None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # as above
        **fields: Unpack[WantedFields],
    ) -> list[Target]:
        """Find every container that fits, once there is one and all of them can be used.

            replicas = await client.wait_for_all(service="web", timeout=60)

        Args:
            wanted: the conditions; or give its attributes as keywords.
            on_missing: as for :meth:`wait_for`.
            timeout: in seconds; None for no limit.

        Raises:
            SelectionError: the time is over; the message has the reason.
            EngineError: the engine failed.
        """
        asked = _asked(wanted, fields)

        async def find() -> list[Target]:
            await self._finder.require_started(asked)
            return await self.find_all(asked)

        return await self._wait(find, on_missing, timeout)

    async def _wait(
        self,
        find: Callable[[], Awaitable[list[Target]]],
        on_missing: Callable[[str], None],
        timeout: float | None,  # noqa: ASYNC109 # as above
    ) -> list[Target]:
        return await until_fit(
            *(self._engine.changes(), find, on_missing, timeout),
            is_managed=lambda: self._finder.elsewhere.is_managed,
        )

    @takes(WantedFields)
    async def containers(
        self,
        wanted: Wanted | None = None,
        *,
        stopped: bool = False,
        **fields: Unpack[WantedFields],
    ) -> list[Container]:
        """List the containers that fit and are up, paused ones too, wherever the caller stands.

            for container in await client.containers(project="shop"):
                print(container.name, container.state)

        On a manager of a swarm, the list includes the tasks on other nodes, each with its node.

        Args:
            wanted: the conditions; or give its attributes as keywords.
            stopped: whether to list also containers that are not up.

        Raises:
            SelectionError: no container has the wanted name.
            EngineError: the engine failed.
        """
        return await self._finder.containers(_asked(wanted, fields), stopped=stopped)

    async def versions(self) -> tuple[str, str]:
        """Return the engine's version, and the API version that Rind uses with it.

            engine, api = await client.versions()

        Raises:
            EngineError: the engine failed.
        """
        return await self._engine.version(), self._engine.dialect.api

    async def info(self) -> EngineInfo:
        """Return the engine's description of itself.

            print((await client.info()).is_rootless)

        Raises:
            EngineError: the engine failed.
        """
        return await self._engine.info()

    @takes(WantedFields)
    async def find_all(
        self, wanted: Wanted | None = None, **fields: Unpack[WantedFields]
    ) -> list[Target]:
        """Find every running container that fits, sorted by name; never an empty list.

        In a place, such as a Compose project's folder, these are the containers of the place.
        With ``everywhere=True``, or in no place, they are all of the engine, or of its swarm.

            for target in await client.find_all(project="shop"):
                print((await target.run(["cat", "/etc/hostname"])).stdout)

        Args:
            wanted: the conditions; or give its attributes as keywords.

        Raises:
            SelectionError: no container fits; or some are a swarm's, and not all of the swarm can
                be found or reached.
            EngineError: the engine failed.
        """
        wanted = _asked(wanted, fields)
        found = await self._finder.find_all(wanted)
        tasks = Tasks()
        try:
            reaching = [tasks.spawn(self._reach(selected, wanted.label)) for selected in found]
            return await asyncio.gather(*reaching)
        finally:
            await tasks.cancel()  # the other ones, after a failure

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
        """Return a target for ``container``, with the profile of the labels under ``label``.

            container = await client.container(web.container.name)
            print((await client.target(container).run(["cat", "/etc/hostname"])).stdout)

        The container must be on this client's engine; for a swarm's task, see :meth:`reach`. An
        unknown or invalid label raises when a command is planned.

        Raises:
            TypeError: it is another library's object, or a name: see :meth:`reach`.
        """
        if not isinstance(container, Container):
            raise TypeError(
                f"target() takes a Container, but got {container!r}: use await client.reach(...)"
            )
        return Target(self._session, container, label, self.caller, reason=reason)

    def stands_elsewhere(self, container: Container) -> bool:
        """Whether the caller is in a Compose project's folder, and ``container`` is of another one.

            assert not client.stands_elsewhere(web.container)

        False where the caller is in no project's folder.
        """
        return is_elsewhere(container, self.caller)


def _asked(wanted: object, fields: WantedFields) -> Wanted:
    if not isinstance(wanted, Wanted | None):
        instead = f"write service={wanted!r} or container={wanted!r}"
        raise TypeError(f"wanted must be a Wanted, but is {wanted!r}: {instead}")
    if wanted is not None and fields:
        raise TypeError(
            f"wanted cannot be combined with {', '.join(fields)}: write it in the Wanted"
        )
    return wanted or Wanted(**fields)
