"""A client without an event loop: it finds a container and starts one command in it.

The command line asks it before asyncio is loaded, which takes as long as the engine takes to start
the command; :func:`rind.client.going_on` goes on from there. So nothing here may import asyncio, or
what is as slow.
"""

from __future__ import annotations

import time
from contextlib import suppress

from rind.base.records import replace
from rind.decide.selection import AmbiguousError, NoContainerError, require_running
from rind.engine.engine import Engine
from rind.errors import Refused, RindError, SelectionError
from rind.execution.begin import Begun, create, new_cookie, start_detached
from rind.find.caller import find_caller
from rind.find.resolve import find, settle
from rind.reaper.scripts import NOT_KNOWN, SIGNAL_SCRIPT, script_config
from rind.transport.choose import dialer_for
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.decide.selection import Selected, Wanted
    from rind.endpoint.endpoint import Endpoint
    from rind.model import Container, ExecConfig

__all__ = ["EarlyClient"]

END_BOUND: Final = 5.0
"""Seconds to end a command without an event loop."""

END_POLL: Final = 0.05
"""Seconds between looks at it: what kills it takes as long."""


class EarlyClient:
    """A client of one engine. Every method blocks, for as long as a request may take.

    Args:
        endpoint: where the engine is.
        environ: the environment variables.
        may_ask: whether ssh may ask the user for something.

    Attributes:
        caller: who looks for a container.
        environ: as it was given.

    Raises:
        Unreachable: nothing answers, or what answers is not a Docker Engine.
    """

    def __init__(
        self, endpoint: Endpoint, environ: Mapping[str, str], *, may_ask: bool = True
    ) -> None:
        self.caller = find_caller(environ, endpoint.url)
        self.environ = environ
        dialer = dialer_for(endpoint, BlockingWire, may_ask=may_ask)
        self._carrier = SocketCarrier(dialer, endpoint.headers)
        self._engine = Engine(endpoint, self._carrier, may_ask=may_ask)
        finish(self._engine.__aenter__())

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is."""
        return self._engine.endpoint

    def find(self, wanted: Wanted) -> tuple[EarlyClient, Selected]:
        """Find the one container to run in, elsewhere in a swarm too (:mod:`rind.find.resolve`).

        Returns:
            The client of the engine that it is on, too.
        """
        try:
            return self, finish(find(self._engine, self.caller, wanted))
        except AmbiguousError:
            raise
        except SelectionError as missing:
            if isinstance(missing, NoContainerError) and missing.is_final:
                raise
            return self._find_elsewhere(wanted, missing)

    def _find_elsewhere(
        self, wanted: Wanted, missing: SelectionError
    ) -> tuple[EarlyClient, Selected]:
        from rind.find.elsewhere import Elsewhere, at_node, chosen, seen_there  # noqa: PLC0415 # rare

        swarm = Elsewhere(self._engine, self.environ)
        selected = chosen(finish(swarm.in_place_of(missing, wanted)), wanted, self.caller)
        task = selected.container
        with suppress(Refused):
            found = replace(finish(self._engine.container(task.id)), node=task.node)
            return self, replace(selected, container=require_running(found))
        node, endpoint = finish(swarm.way(task))
        with at_node(node, task):
            there = EarlyClient(endpoint, self.environ, may_ask=self._engine.may_ask)
            found = finish(seen_there(there._engine, task, node, endpoint))
        return there, replace(selected, container=require_running(found))

    def running(self, labels: Sequence[str] = ()) -> list[Container]:
        """List the running containers that have all of ``labels``: ``KEY`` or ``KEY=value``.

        Raises:
            EngineError: the engine failed.
        """
        up = finish(self._engine.containers(labels, up=True))
        return [container for container in up if container.state == "running"]

    def with_tasks(self, local: Sequence[Container], wanted: Wanted) -> list[Container]:
        """Return local containers that fit, and a swarm's running tasks that do, if any is told."""
        from rind.find.elsewhere import Elsewhere  # noqa: PLC0415 # rarely needed

        try:
            return finish(Elsewhere(self._engine, self.environ).with_tasks(local, wanted))
        except SelectionError:
            return [*local]

    def settle(self, command: Command, container: Container, profile: Profile) -> ExecConfig:
        """Settle what is to be executed: as :func:`rind.find.resolve.settle`."""
        return finish(settle(self._engine, command, container, profile, self.caller))

    def detach(self, container: Container, config: ExecConfig) -> str:
        """Start a command, detached: as :func:`rind.execution.begin.start_detached`."""
        return finish(start_detached(self._engine, container, config))

    def create(self, container: Container, config: ExecConfig) -> tuple[str, str]:
        """Create an exec instance; return its ID and its cookie.

        Raises:
            StartError: the engine would not create it.
            EngineError: the engine failed.
        """
        cookie = new_cookie()
        return finish(create(self._engine, container, config, cookie)), cookie

    def start(self, exec_id: str, cookie: str, *, tty: bool, size: tuple[int, int] | None) -> Begun:
        """Request the start of a created command; return before it is answered.

        Raises:
            EngineError: the request could not be sent.
        """
        requested = time.monotonic()
        asking = self._engine.ask_start(self._carrier, exec_id, tty=tty, size=size)
        return Begun(exec_id, cookie, finish(asking), requested)

    def end(self, exec_id: str, cookie: str, container: Container, config: ExecConfig) -> bool:
        """Kill a command whose start was requested, where nothing else can end it any more.

        With what is there already, and no event loop. What fails is tried again.

        Returns:
            Whether it has ended. Where it has not, it may be left running.
        """
        killer = script_config(
            SIGNAL_SCRIPT, "9", user=config.user, held=" ".join([cookie, *NOT_KNOWN])
        )
        deadline = time.monotonic() + END_BOUND
        while time.monotonic() < deadline:
            with suppress(RindError, OSError, MemoryError):
                state = finish(self._engine.inspect_exec(exec_id))
                if state.exit_code is not None and not state.running:
                    return True
                if state.running:
                    # Before the stream is closed: of one that is closed, 20.10 says that it ended.
                    detached = replace(killer, stdin=False, output=False)
                    finish(start_detached(self._engine, container, detached))
            time.sleep(END_POLL)
        return False

    def engine_for_a_loop(self) -> Engine:
        """Return the same engine for an event loop, to go on with what was started."""
        from rind.transport.loop_wire import LoopWire  # noqa: PLC0415 # it needs asyncio

        carrier = SocketCarrier(self._carrier.dialer.using(LoopWire), self._carrier.headers)
        may_ask = self._engine.may_ask
        return Engine(self.endpoint, carrier, self._engine.dialect, may_ask=may_ask)
