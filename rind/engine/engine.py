"""A client of the Docker Engine API, with the requests that Rind needs.

Every answer becomes one of our own types (:mod:`rind.engine.answers`), and every failure an
:class:`~rind.errors.EngineError`. The time for an answer and its size are limited. A carrier sends
the requests (:mod:`rind.transport.carrier`).
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager

from rind.base.deadline import Deadline
from rind.base.records import replace
from rind.engine import answers
from rind.engine.dialect import Dialect, read_dialect
from rind.engine.translation import translated
from rind.errors import Broken, Refused
from rind.model import FULL_ID, NAME
from rind.transport.carrier import NOT_OPEN, Request, WrongAnswer
from rind.transport.choose import loop_carrier
from rind.transport.sockets import receive_upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Final, Self

    from rind.endpoint.endpoint import Endpoint
    from rind.model import Container, Defaults, EngineInfo, ExecConfig, ExecState
    from rind.transport.carrier import Answer, Carrier
    from rind.transport.hijacked import HijackedStream
    from rind.transport.sockets import SocketCarrier
    from rind.transport.wire import Wire

__all__ = ["ERRORS", "REQUEST_TIMEOUT", "Engine", "accept"]

PING_TIMEOUT: Final = 10.0
"""Seconds for the answer to a ping. A local engine answers within a millisecond, one behind a slow
line within a second. A longer silence means no engine, or one in no state to run anything."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for any other answer: a busy 20.10 has needed ten."""

_PING: Final = Request("GET", "_ping")

_CHANGES: Final = ["create", "start", "unpause", "health_status", "die", "rename"]

ERRORS: Final = 400
"""The lowest HTTP status that is an error."""

_FULL_ID: Final = re.compile(FULL_ID)

_CLOCKS_AGREE: Final = 2.0
"""The largest difference, in seconds, of two clocks that agree: a ``Date`` has whole seconds."""

_PS_ARGS: Final = "-eo pid,ppid --sort=start_time,pid"
"""For ps(1) on the engine's machine: processes with their parents, the oldest first."""

_PODMAN_DESCRIPTORS: Final = "hpid,pid"
"""For Podman: the PID on the engine's machine, and in the container (podman-top(1))."""


class Engine:
    """A client of one engine. Many requests may be in progress at once.

    Use it as an async context manager: entering determines the API version, leaving closes every
    connection except the hijacked ones, which belong to their streams.

    Args:
        endpoint: where the engine is.
        carrier: sends the requests; None for the one that suits the endpoint.
        dialect: the engine's dialect, if known; None to ping the engine for it.
        timeout: seconds for an answer.
        may_ask: whether ssh may prompt the user.

    Attributes:
        dialect: the engine's dialect; a default before entering.
        timeout, may_ask: the arguments.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        carrier: Carrier | None = None,
        dialect: Dialect | None = None,
        timeout: float = REQUEST_TIMEOUT,
        *,
        may_ask: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect or Dialect()
        self._knows_dialect = dialect is not None
        self.timeout = timeout
        self.may_ask = may_ask
        self._custom_carrier = carrier
        self._carrier: Carrier | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or the answer is not a Docker Engine's.
        """
        try:
            with self.errors():
                self._carrier = self._custom_carrier or self._new_carrier()
                if not self._knows_dialect:
                    await self._ping()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            await carrier.aclose()

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
        with self.errors():
            container_id = name
            if not _FULL_ID.fullmatch(name):
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

    async def defaults(self, container_id: str) -> Defaults:
        """Return a container's own variables, working directory and user."""
        with self.errors():
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
        with self.errors():
            path = f"containers/{container_id}/top"
            ps_args = _PODMAN_DESCRIPTORS if self.dialect.is_podman else _PS_ARGS
            return answers.read_processes(await self.get(path, ps_args=ps_args))

    async def has_own_pid_namespace(self, container_id: str) -> bool:
        """Whether a container has its own PID namespace (see ``docker run --pid``)."""
        with self.errors():
            return answers.read_has_own_pid_namespace(
                await self.get(f"containers/{container_id}/json")
            )

    async def version(self) -> str:
        """Return the engine's own version, such as ``28.5.2``."""
        with self.errors():
            return answers.read_version(await self.get("version"))

    async def info(self) -> EngineInfo:
        """Return the engine's description of itself."""
        with self.errors():
            info = answers.read_info(await self.get("info"))
            api = "{}.{}".format(*self.dialect.api_version)
            return replace(info, api=api, is_podman=self.dialect.is_podman)

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
        with self.errors():
            now = await self._now()
            filters = {"type": ["container"], "container": [container_id], "event": list(names)}
            period = {"since": f"{now - before:.6f}", "until": f"{now + after:.6f}"}
            return answers.read_event_actions(
                await self.get("events", filters=json.dumps(filters), **period)
            )

    async def _now(self) -> float:
        """Return the time by the engine's clock, or by ours if the two agree."""
        pong = await self.carrier.request(_PING, Deadline(self.timeout))
        ours, theirs = time.time(), answers.read_date(pong.headers.get("date", ""))
        return ours if theirs is None or abs(ours - theirs) <= _CLOCKS_AGREE else theirs

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Subscribe to container events; yield whenever one or more have happened.

        No event is missed after entering (API: ``GET /events``).
        """
        filters = json.dumps({"type": ["container"], "event": _CHANGES})
        request = self.new_request("GET", "events", {"filters": filters})
        with self.errors():
            async with self.carrier.stream(request, Deadline(self.timeout)) as (answer, parts):
                accept(answer)
                yield self._ticks(parts)

    async def _ticks(self, parts: AsyncIterator[bytes]) -> AsyncIterator[None]:
        with self.errors():
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
        with self.errors():
            try:
                created = await self._post(path, body)
            except TimeoutError:
                raise
            except OSError:
                # An idle connection may have failed. aiohttp only repeats requests without effects.
                # It is safe to repeat this one too: an exec that is never started has no effect.
                created = await self._post(path, body)
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
        with self.errors():
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
        with self.errors():
            return await carrier.send_upgrade(request, Deadline(self.timeout))

    async def finish_start(self, wire: Wire) -> HijackedStream:
        """Receive the answer to :meth:`send_start`; the caller owns the stream."""
        from rind.transport.loop_wire import LoopWire

        with self.errors():
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
        with self.errors():
            await self._post(f"exec/{exec_id}/start", {"Detach": True})

    async def resize_exec(self, exec_id: str, size: tuple[int, int]) -> None:
        """Set the window size (rows, columns) of a started exec's TTY."""
        rows, columns = size
        with self.errors():
            await self._post(f"exec/{exec_id}/resize", h=str(rows), w=str(columns))

    async def inspect_exec(self, exec_id: str, deadline: Deadline | None = None) -> ExecState:
        """Return an exec instance's state.

        Args:
            exec_id: from :meth:`create_exec`.
            deadline: of the answer; None for the usual one.

        Raises:
            Refused: the engine has forgotten it (404), which happens minutes after its end.
        """
        with self.errors():
            request = self.new_request("GET", f"exec/{exec_id}/json")
            deadline = deadline or Deadline(self.timeout)
            data = accept(await self.carrier.request(request, deadline)).body
            return answers.read_exec_state(data, is_podman=self.dialect.is_podman)

    def _new_carrier(self) -> Carrier:
        if self.endpoint.is_plain:
            from rind.engine.pooled import PooledCarrier  # it takes 70 ms to load

            return PooledCarrier(self.endpoint.url, self.endpoint.headers)
        return loop_carrier(self.endpoint, may_ask=self.may_ask)

    @property
    def carrier(self) -> Carrier:
        """The carrier of the open engine. For use within Rind.

        Raises:
            RuntimeError: the engine is not open.
        """
        if self._carrier is None:
            raise RuntimeError(NOT_OPEN)
        return self._carrier

    async def _ping(self) -> None:
        """Determine the dialect by a ping.

        aiodocker's "auto" instead sends GET /version, which takes ten times as long.
        """
        pong = await self.carrier.request(_PING, Deadline(min(PING_TIMEOUT, self.timeout)))
        try:
            accept(pong)
        except Refused as exc:
            raise WrongAnswer(f"HTTP status {exc.http_status} {exc.text}") from exc
        self.dialect = read_dialect(pong.headers)
        if wanted := self.endpoint.api_version:
            version = answers.read_api_version(wanted)
            self.dialect = replace(self.dialect, api_version=version)

    async def _list(self, **params: str) -> list[Container]:
        with self.errors():
            return answers.read_containers(await self.get("containers/json", **params))

    async def get(self, path: str, **params: str) -> bytes:
        """Send a GET request; return the body of the answer. For use within Rind."""
        request = self.new_request("GET", path, params)
        return accept(await self.carrier.request(request, Deadline(self.timeout))).body

    async def _post(self, path: str, body: object = None, **params: str) -> bytes:
        request = self.new_request("POST", path, params, body)
        return accept(await self.carrier.request(request, Deadline(self.timeout))).body

    def new_request(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Request:
        """Return a request with the API version in its path. For use within Rind."""
        return Request(
            method, "v{}.{}/{}".format(*self.dialect.api_version, path), params or {}, body
        )

    def errors(self) -> AbstractContextManager[None]:
        """Translate a carrier's exceptions into Rind's errors. For use within Rind."""
        return translated(self.endpoint)


def accept(answer: Answer) -> Answer:
    """Return ``answer`` unless it is an error.

    Raises:
        Refused: the answer is an error.
    """
    if answer.status >= ERRORS:
        raise Refused(answer.status, answers.read_error(answer.body))
    return answer


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
