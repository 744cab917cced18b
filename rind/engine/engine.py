"""A client of the Docker Engine API: the requests that Rind makes.

Every answer becomes one of our own types (:mod:`rind.engine.answers`), and every failure an
:class:`~rind.errors.EngineError`. Every wait for an answer, and every answer's size, is bounded. A
carrier brings the requests to the engine (:mod:`rind.transport.carrier`).
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager

from rind.base.records import replace
from rind.engine import answers
from rind.engine.dialect import Dialect, read_dialect
from rind.engine.translation import translated
from rind.errors import Broken, Refused
from rind.model import NAME
from rind.transport.carrier import NOT_OPEN, Request, WrongAnswer
from rind.transport.choose import dialer_for
from rind.transport.sockets import SocketCarrier, upgraded

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
    from rind.transport.wire import Wire

__all__ = ["ERRORS", "REQUEST_TIMEOUT", "Engine", "accept"]

PING_TIMEOUT: Final = 10.0
"""Seconds. A local engine answers within a millisecond, one behind a slow line within a second;
what is silent for longer is not an engine, or not in a state to run anything."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for any other answer: a busy 20.10 was seen to need ten."""

_PING: Final = Request("GET", "_ping")

_CHANGES: Final = ["create", "start", "unpause", "health_status", "die", "rename"]

ERRORS: Final = 400
"""From here on, an HTTP status is an error."""

_FULL_ID: Final = re.compile("[0-9a-f]{64}")

_CLOCKS_AGREE: Final = 2.0
"""Seconds by which the engine's clock seems to be another one: its answers have whole seconds."""

_ORDERED: Final = "-eo pid,ppid --sort=start_time,pid"
"""Of ps(1) on the engine's machine: processes with their parents, the oldest first."""

_OF_PODMAN: Final = "hpid,pid"


class Engine:
    """A client of one engine; many requests may be under way at once.

    Use it as an async context manager: entering finds the API version, leaving closes every
    connection but the hijacked ones, which belong to their streams.

    Args:
        endpoint: where the engine is.
        carrier: what carries the requests; None for aiodocker.
        dialect: how to speak; None to ask the engine.
        timeout: seconds for an answer.
        may_ask: whether ssh may ask the user for something.

    Attributes:
        dialect: how it is spoken with, once that is known.
        timeout, may_ask: as they were given.
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
        self._given = carrier
        self._carrier: Carrier | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or what answers is not a Docker Engine.
        """
        try:
            with self.errors():
                self._carrier = self._given or self._own_carrier()
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
        """List the containers with all of ``labels``, in any state.

        Args:
            labels: each ``KEY`` or ``KEY=value``.
            up: whether to list only those that are up, paused ones too.
        """
        filters = {"label": list(labels), **({"status": self.dialect.up} if up else {})}
        return await self._list(all="1", filters=json.dumps(filters))

    async def container(self, name: str) -> Container:
        """Find a container by its name, its ID, or a unique prefix of its ID.

        Raises:
            Refused: there is none (404), or several share the prefix.
        """
        if not re.fullmatch(NAME, name):
            raise Refused(404, f"No such container: {name}")
        with self.errors():
            found = name
            if not _FULL_ID.fullmatch(name):
                found = answers.read_container_id(await self.get(f"containers/{name}/json"))
            # Only the list has the status in words.
            listed = await self.container_by_id(found)
            if listed is None:  # removed in between
                raise Refused(404, f"No such container: {name}")
            return listed

    async def container_by_id(self, container_id: str) -> Container | None:
        """Find a container by its ID, or a prefix of one; None where none or several have it."""
        found = await self._list(all="1", filters=json.dumps({"id": [container_id]}))
        return found[0] if len(found) == 1 else None

    async def defaults(self, container_id: str) -> Defaults:
        """Return a container's own variables and working directory."""
        with self.errors():
            told = await self.get(f"containers/{container_id}/json")
            return answers.read_defaults(told, without=self.dialect.given)

    async def processes(self, container_id: str) -> list[tuple[int, int]]:
        """Return a container's processes as the engine numbers them, each (number, parent).

        The oldest is the first. With Podman, which asks the container's own ps for that, each is
        (number, number in the container), in any order: by the words that it reads itself
        (podman-top(1), hpid).

        Raises:
            Refused: the container does not run, or the engine's machine has no such ps.
        """
        with self.errors():
            path = f"containers/{container_id}/top"
            words = _OF_PODMAN if self.dialect.is_podman else _ORDERED
            return answers.read_processes(await self.get(path, ps_args=words))

    async def has_own_processes(self, container_id: str) -> bool:
        """Whether a container's PID namespace is its own (``docker run --pid``)."""
        with self.errors():
            return answers.read_own_pids(await self.get(f"containers/{container_id}/json"))

    async def version(self) -> str:
        """Return the engine's own version, as ``28.5.2``."""
        with self.errors():
            return answers.read_version(await self.get("version"))

    async def info(self) -> EngineInfo:
        """Return what the engine says of itself."""
        with self.errors():
            info = answers.read_info(await self.get("info"))
            api = "{}.{}".format(*self.dialect.api_version)
            return replace(info, api=api, is_podman=self.dialect.is_podman)

    async def events(
        self, container_id: str, names: Sequence[str], before: float, after: float
    ) -> list[str]:
        """Return the events of a container around now, of those that are named.

        Args:
            container_id: the container, which may be gone.
            names: such as ``die``.
            before: how many seconds ago it may have happened.
            after: how many seconds from now on it may still happen.

        Returns:
            The events' names, such as ``die`` (API: ``GET /events``).
        """
        with self.errors():
            now = await self._now()
            filters = {"type": ["container"], "container": [container_id], "event": list(names)}
            period = {"since": f"{now - before:.6f}", "until": f"{now + after:.6f}"}
            return answers.read_event_actions(
                await self.get("events", filters=json.dumps(filters), **period)
            )

    async def _now(self) -> float:
        """Return the time by the engine's clock."""
        pong = await self.carrier.request(_PING, self.timeout)
        ours, theirs = time.time(), answers.read_date(pong.headers.get("date", ""))
        return ours if theirs is None or abs(ours - theirs) <= _CLOCKS_AGREE else theirs

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Subscribe to container events; yield once per event.

        What happens from entering on is told (API: ``GET /events``).
        """
        filters = json.dumps({"type": ["container"], "event": _CHANGES})
        asked = self.new_request("GET", "events", {"filters": filters})
        with self.errors():
            async with self.carrier.stream(asked, self.timeout) as (answer, parts):
                accept(answer)
                yield self._ticks(parts)

    async def _ticks(self, parts: AsyncIterator[bytes]) -> AsyncIterator[None]:
        with self.errors():
            # What an event says, the next list says better; and it may be of any length.
            async for _ in parts:
                yield
        raise Broken("the engine ended the stream of its events")

    async def create_exec(self, container_id: str, config: ExecConfig) -> str:
        """Prepare a command in a running container; return the exec ID.

        Raises:
            Refused: the container is not running or paused (409), or gone (404), and whatever
                the engine checks this early.
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
                # A connection that was kept may have failed meanwhile. aiohttp repeats only what
                # has no effect, and an exec instance that is never started has none either.
                created = await self._post(path, body)
            return answers.read_exec_id(created)

    async def start_exec(
        self, exec_id: str, *, tty: bool, size: tuple[int, int] | None = None
    ) -> HijackedStream:
        """Start a created command; the caller owns the stream.

        Args:
            exec_id: from :meth:`create_exec`.
            tty: as the exec instance was created.
            size: the window size (rows, columns), where the engine takes one at start.

        Raises:
            Refused: the engine would not start it.
        """
        asked = self._start_request(exec_id, tty=tty, size=size)
        with self.errors():
            return _hijacked(await self.carrier.upgrade(asked, self.timeout))

    async def ask_start(
        self,
        carrier: SocketCarrier,
        exec_id: str,
        *,
        tty: bool,
        size: tuple[int, int] | None = None,
    ) -> Wire:
        """Do the first half of :meth:`start_exec`: send the request."""
        asked = self._start_request(exec_id, tty=tty, size=size)
        with self.errors():
            return await carrier.ask_upgrade(asked, self.timeout)

    async def go_on(self, wire: Wire) -> HijackedStream:
        """Do the second half of :meth:`start_exec`, whose request was sent on ``wire``."""
        from rind.transport.loop_wire import LoopWire  # noqa: PLC0415 # it needs asyncio

        with self.errors():
            return _hijacked(await upgraded(wire.into(LoopWire)))

    def _start_request(self, exec_id: str, *, tty: bool, size: tuple[int, int] | None) -> Request:
        body: dict[str, object] = {"Detach": False, "Tty": tty}
        if tty and size and self.dialect.takes_console_size:
            body["ConsoleSize"] = list(size)
        return self.new_request("POST", f"exec/{exec_id}/start", body=body)

    async def start_exec_detached(self, exec_id: str) -> None:
        """Start a created command, detached.

        Raises:
            Refused: it could not be started; the text is the engine's own.
        """
        with self.errors():
            await self._post(f"exec/{exec_id}/start", {"Detach": True})

    async def resize_exec(self, exec_id: str, size: tuple[int, int]) -> None:
        """Set the window size (rows, columns) of a started exec's TTY."""
        rows, columns = size
        with self.errors():
            await self._post(f"exec/{exec_id}/resize", h=str(rows), w=str(columns))

    async def inspect_exec(self, exec_id: str) -> ExecState:
        """Ask for an exec instance's state.

        Raises:
            Refused: the engine no longer knows it (404), minutes after its end.
        """
        with self.errors():
            told = await self.get(f"exec/{exec_id}/json")
            return answers.read_exec_state(told, is_podman=self.dialect.is_podman)

    def _own_carrier(self) -> Carrier:
        if self.endpoint.is_plain:
            from rind.engine.pooled import PooledCarrier  # noqa: PLC0415 # it takes 70 ms to load

            return PooledCarrier(self.endpoint.url, self.endpoint.headers)
        from rind.transport.loop_wire import LoopWire  # noqa: PLC0415 # it needs asyncio

        dialer = dialer_for(self.endpoint, LoopWire, may_ask=self.may_ask)
        return SocketCarrier(dialer, self.endpoint.headers)

    @property
    def carrier(self) -> Carrier:
        """What carries the requests, for this package.

        Raises:
            RuntimeError: the engine is not open.
        """
        if self._carrier is None:
            raise RuntimeError(NOT_OPEN)
        return self._carrier

    async def _ping(self) -> None:
        """Settle the dialect.

        Not by aiodocker's "auto", whose GET /version takes ten times as long as a ping.
        """
        pong = await self.carrier.request(_PING, min(PING_TIMEOUT, self.timeout))
        try:
            accept(pong)
        except Refused as exc:
            raise WrongAnswer(f"HTTP status {exc.http_status} {exc.text}") from exc
        self.dialect = read_dialect(pong.headers)
        if asked := self.endpoint.api_version:
            version = answers.read_api_version(asked)
            self.dialect = replace(self.dialect, api_version=version)

    async def _list(self, **params: str) -> list[Container]:
        with self.errors():
            return answers.read_containers(await self.get("containers/json", **params))

    async def get(self, path: str, **params: str) -> bytes:
        """Return the body of the answer to a GET request, for this package."""
        asked = self.new_request("GET", path, params)
        return accept(await self.carrier.request(asked, self.timeout)).body

    async def _post(self, path: str, body: object = None, **params: str) -> bytes:
        asked = self.new_request("POST", path, params, body)
        return accept(await self.carrier.request(asked, self.timeout)).body

    def new_request(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Request:
        """Return a request in the version that is spoken, for this package."""
        return Request(
            method, "v{}.{}/{}".format(*self.dialect.api_version, path), params or {}, body
        )

    def errors(self) -> AbstractContextManager[None]:
        """Translate what a carrier raises into our errors, for this package."""
        return translated(self.endpoint)


def accept(answer: Answer) -> Answer:
    """Return an answer that is no error.

    Raises:
        Refused: it is one.
    """
    if answer.status >= ERRORS:
        raise Refused(answer.status, answers.read_error(answer.body))
    return answer


def _hijacked(answer: Answer) -> HijackedStream:
    """Return the stream of a command from the answer to its start.

    Raises:
        Refused, Broken: the engine has not upgraded the connection.
    """
    from rind.transport.hijacked import HijackedStream  # noqa: PLC0415 # it needs asyncio

    accept(answer)
    if answer.connection is None:
        raise Broken(
            "the engine did not upgrade the connection: it answered "
            f"{answer.status} {answer.reason}; is a proxy in between?"
        )
    return HijackedStream(answer.connection)
