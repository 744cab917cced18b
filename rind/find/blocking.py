"""A client without an event loop: it finds a container and starts one command in it.

Loading asyncio takes as long as an engine takes to start a command. So the command line uses this
client first, requests the start, and loads asyncio while the engine works;
:func:`rind.client.continued` takes over from there. Nothing here may import asyncio, or a module
that is as slow.
"""

from __future__ import annotations

import time
from contextlib import suppress

from rind.base.records import replace
from rind.engine.engine import Engine
from rind.errors import RindError
from rind.execution.begin import Begun, Created, create, new_cookie, start_detached
from rind.execution.direct import Direct
from rind.find.caller import find_caller
from rind.find.finder import Finder
from rind.find.resolve import settle
from rind.reaper.scripts import SIGNAL_SCRIPT, script_config, tree_words
from rind.transport.choose import dialer_for
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from rind.base.deadline import Deadline
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.decide.selection import Selected
    from rind.decide.wanted import Wanted
    from rind.endpoint.endpoint import Endpoint
    from rind.execution.local import Local
    from rind.model import Container, EngineInfo, ExecConfig

__all__ = ["EarlyClient"]

END_BOUND: Final = 5.0
"""Seconds to end a command without an event loop."""

END_POLL: Final = 0.05
"""Seconds between two looks at the command; killing it takes as long."""


class EarlyClient:
    """A client of one engine. Every method blocks, for as long as a request may take.

    Between two requests it holds no connection, so it needs no closing.

    Args:
        endpoint: where the engine is.
        environ: the environment variables.
        interactive: whether ssh may prompt the user.

    Attributes:
        caller: who looks for a container.
        engine: the engine, open; over a carrier that blocks.
        environ: as it was given.

    Raises:
        Unreachable: nothing answers, or something that is not a Docker Engine.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        environ: Mapping[str, str],
        *,
        interactive: bool = True,
        on_request: Callable[[str], object] = bool,
    ) -> None:
        self.caller = find_caller(environ, endpoint.url)
        self.environ = environ
        dialer = dialer_for(endpoint, BlockingWire, interactive=interactive)
        self._carrier = SocketCarrier(dialer, endpoint.headers, on_request)
        self.engine = Engine(endpoint, self._carrier, interactive=interactive)
        finish(self.engine.__aenter__())
        self._finder = Finder(self.engine, self.caller, environ)
        self._nodes: dict[str, EarlyClient] = {}

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is."""
        return self.engine.endpoint

    def find(self, wanted: Wanted) -> tuple[EarlyClient, Selected]:
        """Find the one container to run in, on another node of a swarm too.

        Returns:
            The client of the container's engine, and the container with the reason.

        Raises:
            AmbiguousError, SelectionError, EngineError: as :meth:`rind.find.finder.Finder.find`.
        """
        return self._reach(finish(self._finder.find(wanted)))

    def find_all(self, wanted: Wanted) -> list[tuple[EarlyClient, Selected]]:
        """Find every running container that fits, on other nodes of a swarm too; see :meth:`find`.

        Raises:
            SelectionError, EngineError: as :meth:`rind.find.finder.Finder.find_all`.
        """
        return [self._reach(selected) for selected in finish(self._finder.find_all(wanted))]

    def containers(self, wanted: Wanted, *, stopped: bool = False) -> list[Container]:
        """List the containers that fit: see :meth:`rind.find.finder.Finder.containers`."""
        return finish(self._finder.containers(wanted, stopped=stopped))

    def _reach(self, selected: Selected) -> tuple[EarlyClient, Selected]:
        there, container = finish(self._finder.reach(selected.container, self._connect))
        return there or self, replace(selected, container=container)

    async def _connect(self, endpoint: Endpoint) -> tuple[EarlyClient, Engine]:
        if endpoint.url not in self._nodes:
            self._nodes[endpoint.url] = EarlyClient(
                endpoint,
                self.environ,
                interactive=self.engine.interactive,
                on_request=self._carrier.on_request,
            )
        client = self._nodes[endpoint.url]
        return client, client.engine

    def running(self, labels: Sequence[str] = ()) -> list[Container]:
        """List the running containers that have all of ``labels``: ``KEY`` or ``KEY=value``.

        Raises:
            EngineError: the engine failed.
        """
        up = finish(self.engine.containers(labels, up=True))
        return [container for container in up if container.state == "running"]

    def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and a swarm's running tasks that do."""
        return finish(self._finder.with_tasks(local, wanted))

    def info(self) -> EngineInfo:
        """Return the engine's description of itself.

        Raises:
            EngineError: the engine failed.
        """
        return finish(self.engine.info())

    def settle(self, command: Command, container: Container, profile: Profile) -> ExecConfig:
        """Return the command as it would be executed: see :func:`rind.find.resolve.settle`."""
        return finish(settle(self.engine, command, container, profile, self.caller))

    def detach(self, container: Container, config: ExecConfig) -> str:
        """Start a command, detached: as :func:`rind.execution.begin.start_detached`."""
        return finish(start_detached(self.engine, container, config))

    def create(self, container: Container, config: ExecConfig) -> Created:
        """Create an exec instance.

        Raises:
            StartError: the engine would not create it.
            EngineError: the engine failed.
        """
        cookie = new_cookie()
        return Created(finish(create(self.engine, container, config, cookie)), cookie)

    def start(self, created: Created, *, tty: bool, size: tuple[int, int] | None) -> Begun:
        """Request the start of a created command; return before it is answered.

        Raises:
            EngineError: the request could not be sent.
        """
        requested = time.monotonic()
        asking = self.engine.send_start(self._carrier, created.exec_id, tty=tty, size=size)
        return Begun(created.exec_id, created.cookie, finish(asking), requested)

    def serve(
        self,
        begun: Begun,
        container: Container,
        config: ExecConfig,
        *,
        local: Local,
        deadline: Deadline,
    ) -> Direct:
        """Return what moves a started command's bytes as long as that is simple."""
        engine = self.engine
        return Direct(begun, config, container.name, engine=engine, local=local, deadline=deadline)

    def end(self, created: Created, container: Container, config: ExecConfig) -> bool:
        """Kill a command whose start was requested, when no event loop can be had to do it.

        Imports nothing, and repeats what fails until :data:`END_BOUND`.

        Returns:
            Whether the command has ended. If not, it may be left running.
        """
        killer = script_config(
            SIGNAL_SCRIPT, "9", user=config.user, held=tree_words(created.cookie)
        )
        deadline = time.monotonic() + END_BOUND
        while time.monotonic() < deadline:
            with suppress(RindError, OSError, MemoryError):
                state = finish(self.engine.inspect_exec(created.exec_id))
                if state.exit_code is not None and not state.running:
                    return True
                if state.running:
                    # Before the stream is closed: of one that is closed, 20.10 says that it ended.
                    detached = replace(killer, stdin=False, output=False)
                    finish(start_detached(self.engine, container, detached))
            time.sleep(END_POLL)
        return False

    def engine_for_a_loop(self) -> Engine:
        """Return an engine for an event loop, with the same endpoint and dialect."""
        from rind.transport.loop_wire import LoopWire

        early = self._carrier
        carrier = SocketCarrier(early.dialer.using(LoopWire), early.headers, early.on_request)
        interactive = self.engine.interactive
        return Engine(self.endpoint, carrier, self.engine.dialect, interactive=interactive)
