"""A client of the Docker Engine API, with the requests that Rind needs.

Every answer becomes one of our own types (:mod:`rind.engine.answers`), and every failure an
:class:`~rind.errors.EngineError`.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager

from rind.base.deadline import Deadline
from rind.base.records import replace
from rind.engine import answers
from rind.engine.api import PING, Api, accept
from rind.errors import Broken, EngineError, Refused
from rind.model import NAME, is_full_id
from rind.transport.sockets import receive_upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Final

    from rind.model import Container, Defaults, EngineInfo, ExecConfig, ExecState
    from rind.transport.carrier import Answer, Request
    from rind.transport.hijacked import HijackedStream
    from rind.transport.sockets import SocketCarrier
    from rind.transport.wire import Wire

__all__ = ["Engine"]

_CHANGES: Final = ["create", "start", "unpause", "health_status", "die", "rename"]

_CLOCKS_AGREE: Final = 2.0
"""The largest difference, in seconds, of two clocks that agree: a ``Date`` has whole seconds."""

_PS_ARGS: Final = "-eo pid,ppid --sort=start_time,pid"
"""For ps(1) on the engine's machine: processes with their parents, the oldest first."""

_PODMAN_DESCRIPTORS: Final = "hpid,pid"
"""For Podman: the PID on the engine's machine, and in the container (podman-top(1))."""


class Engine(Api):
    """A client of one engine, with a method for each request that Rind makes."""

    async def containers(self, labels: Sequence[str], *, up: bool = False) -> list[Container]:
        """List the containers that have all of ``labels``.

        Args:
            labels: each ``KEY`` or ``KEY=value``.
            up: whether to list only containers that are up, including paused ones.
        """
        filters = {"label": list(labels), **({"status": self.dialect.up_states} if up else {})}
        return await self._list(all="1", filters=json.dumps(filters))

    async def container(self, name: str) -> Container:
        """Find a container by its name, its ID, or a unique prefix of its ID.

        Raises:
            Refused: there is no such container (404), or several share the prefix.
        """
        if not re.fullmatch(NAME, name):
            raise Refused(404, f"No such container: {name}")
        with self.map_exceptions():
            container_id = name
            if not is_full_id(name):
                container_id = answers.read_container_id(await self.get(f"containers/{name}/json"))
            # Only the list has the status as text.
            listed = await self.container_by_id(container_id)
            if listed is None:  # removed in between
                raise Refused(404, f"No such container: {name}")
            return listed

    async def container_by_id(self, container_id: str) -> Container | None:
        """Find a container by its ID or a prefix of it; None unless exactly one matches."""
        found = await self._list(all="1", filters=json.dumps({"id": [container_id]}))
        return found[0] if len(found) == 1 else None

    async def has_container(self, container_id: str) -> bool:
        """Whether a container exists; True if the engine does not answer that."""
        from http import HTTPStatus  # a run that goes well needs none

        try:
            await self.container(container_id)
        except Refused as exc:
            return exc.http_status != HTTPStatus.NOT_FOUND
        except EngineError:
            pass
        return True

    async def defaults(self, container_id: str) -> Defaults:
        """Return a container's own variables, working directory and user."""
        with self.map_exceptions():
            data = await self.get(f"containers/{container_id}/json")
            return answers.read_defaults(data, without=self.dialect.added_variable)

    async def processes(self, container_id: str) -> list[tuple[int, int]]:
        """Return a container's processes, by their PIDs on the engine's machine.

        With Docker, each is (PID, PID of the parent), the oldest first. With Podman, each is (PID,
        PID in the container), in any order. Podman would pass ps options to the container's own ps,
        so the request has Podman's own descriptors instead (podman-top(1), hpid).

        Raises:
            Refused: the container does not run, or the engine's machine has no such ps.
        """
        with self.map_exceptions():
            path = f"containers/{container_id}/top"
            ps_args = _PODMAN_DESCRIPTORS if self.dialect.is_podman else _PS_ARGS
            return answers.read_processes(await self.get(path, ps_args=ps_args))

    async def has_own_pid_namespace(self, container_id: str) -> bool:
        """Whether a container has its own PID namespace (see ``docker run --pid``)."""
        with self.map_exceptions():
            return answers.read_has_own_pid_namespace(
                await self.get(f"containers/{container_id}/json")
            )

    async def version(self) -> str:
        """Return the engine's own version, such as ``28.5.2``."""
        with self.map_exceptions():
            return answers.read_version(await self.get("version"))

    async def info(self) -> EngineInfo:
        """Return the engine's description of itself."""
        with self.map_exceptions():
            info = answers.read_info(await self.get("info"))
            return replace(info, api=self.dialect.api, is_podman=self.dialect.is_podman)

    async def events(
        self, container_id: str, names: Sequence[str], before: float, after: float
    ) -> list[str]:
        """Return a container's events around now.

        Args:
            container_id: the container, which may be removed already.
            names: the events to look for, such as ``die``.
            before: seconds before now.
            after: seconds after now, which this waits for.

        Returns:
            The names of the events that happened (API: ``GET /events``).
        """
        with self.map_exceptions():
            now = await self._now()
            filters = {"type": ["container"], "container": [container_id], "event": list(names)}
            period = {"since": f"{now - before:.6f}", "until": f"{now + after:.6f}"}
            return answers.read_event_actions(
                await self.get("events", filters=json.dumps(filters), **period)
            )

    async def _now(self) -> float:
        """Return the time by the engine's clock, or by ours if the two agree."""
        pong = await self.carrier.request(PING, Deadline(self.timeout))
        ours, theirs = time.time(), answers.read_date(pong.headers.get("date", ""))
        return ours if theirs is None or abs(ours - theirs) <= _CLOCKS_AGREE else theirs

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Subscribe to container events; yield whenever one or more have happened.

        No event is missed after entering (API: ``GET /events``).
        """
        filters = json.dumps({"type": ["container"], "event": _CHANGES})
        request = self.new_request("GET", "events", {"filters": filters})
        with self.map_exceptions():
            async with self.carrier.stream(request, Deadline(self.timeout)) as (answer, parts):
                accept(answer)
                yield self._ticks(parts)

    async def _ticks(self, parts: AsyncIterator[bytes]) -> AsyncIterator[None]:
        with self.map_exceptions():
            # Not read: an event may have any length, and callers list the containers again anyway.
            async for _ in parts:
                yield
        raise Broken("the engine ended the stream of its events")

    async def create_exec(self, container_id: str, config: ExecConfig) -> str:
        """Create an exec instance in a running container; return its ID.

        Raises:
            Refused: the container does not run or is paused (409), or is removed (404), or the
                engine finds a mistake this early.
        """
        body = {
            "AttachStdin": config.stdin,
            "AttachStdout": config.output,
            "AttachStderr": config.output,
            "Cmd": list(config.argv),
            "DetachKeys": config.detach_keys,
            "Env": list(config.env),
            "Privileged": config.privileged,
            "Tty": config.tty,
            "User": config.user,
            "WorkingDir": config.workdir,
        }
        path = f"containers/{container_id}/exec"
        with self.map_exceptions():
            try:
                created = await self.post(path, body)
            except TimeoutError:
                raise
            except OSError:
                # An idle connection may have failed. aiohttp only repeats requests without effects.
                # It is safe to repeat this one too: an exec that is never started has no effect.
                created = await self.post(path, body)
            return answers.read_exec_id(created)

    async def start_exec(
        self, exec_id: str, *, tty: bool, size: tuple[int, int] | None = None
    ) -> HijackedStream:
        """Start an exec instance; the caller owns the stream.

        Args:
            exec_id: from :meth:`create_exec`.
            tty: whether the exec instance was created with a TTY.
            size: the window size (rows, columns); ignored if the engine takes none at start.

        Raises:
            Refused: the engine did not start it.
        """
        request = self._start_request(exec_id, tty=tty, size=size)
        with self.map_exceptions():
            return _hijacked(await self.carrier.upgrade(request, Deadline(self.timeout)))

    async def send_start(
        self,
        carrier: SocketCarrier,
        exec_id: str,
        *,
        tty: bool,
        size: tuple[int, int] | None = None,
    ) -> Wire:
        """Send the request of :meth:`start_exec`; :meth:`finish_start` receives its answer."""
        request = self._start_request(exec_id, tty=tty, size=size)
        with self.map_exceptions():
            return await carrier.send_upgrade(request, Deadline(self.timeout))

    async def finish_start(self, wire: Wire) -> HijackedStream:
        """Receive the answer to :meth:`send_start`; the caller owns the stream."""
        from rind.transport.loop_wire import LoopWire

        with self.map_exceptions():
            return _hijacked(await receive_upgrade(wire.into(LoopWire)))

    def _start_request(self, exec_id: str, *, tty: bool, size: tuple[int, int] | None) -> Request:
        body: dict[str, object] = {"Detach": False, "Tty": tty}
        if tty and size and self.dialect.takes_console_size:
            body["ConsoleSize"] = list(size)
        return self.new_request("POST", f"exec/{exec_id}/start", body=body)

    async def start_exec_detached(self, exec_id: str) -> None:
        """Start an exec instance, detached.

        Raises:
            Refused: the engine did not start it; the text is the engine's own.
        """
        with self.map_exceptions():
            await self.post(f"exec/{exec_id}/start", {"Detach": True})

    async def resize_exec(self, exec_id: str, size: tuple[int, int]) -> None:
        """Set the window size (rows, columns) of a started exec's TTY."""
        rows, columns = size
        with self.map_exceptions():
            await self.post(f"exec/{exec_id}/resize", h=str(rows), w=str(columns))

    async def inspect_exec(self, exec_id: str, deadline: Deadline | None = None) -> ExecState:
        """Return an exec instance's state.

        Args:
            exec_id: from :meth:`create_exec`.
            deadline: of the answer; None for the usual one.

        Raises:
            Refused: the engine has forgotten it (404), which happens minutes after its end.
        """
        with self.map_exceptions():
            request = self.new_request("GET", f"exec/{exec_id}/json")
            deadline = deadline or Deadline(self.timeout)
            data = accept(await self.carrier.request(request, deadline)).body
            return answers.read_exec_state(data, is_podman=self.dialect.is_podman)

    async def _list(self, **params: str) -> list[Container]:
        with self.map_exceptions():
            return answers.read_containers(await self.get("containers/json", **params))


def _hijacked(answer: Answer) -> HijackedStream:
    """Return a command's stream, from the answer to its start request.

    Raises:
        Refused: the answer is an error.
        Broken: the engine did not upgrade the connection.
    """
    from rind.transport.hijacked import HijackedStream

    accept(answer)
    if answer.connection is None:
        raise Broken(
            "the engine did not upgrade the connection: it answered "
            f"{answer.status} {answer.reason}; is a proxy in between?"
        )
    return HijackedStream(answer.connection)
