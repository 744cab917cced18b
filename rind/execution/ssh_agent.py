"""Carries the user's ssh agent into a container, for one command.

Goal: git and ssh in the container use the keys of this machine's agent, with no mount and no
program of ours in the image, and nothing of it is left there after the command.

Plan: before the command is started, a script is, by an exec of its own: it makes a socket in the
container and carries each connection to it over its stdin and stdout
(:mod:`rind.execution.agent_scripts`). Here, each becomes a connection to the agent. The script is
a command like any other: leaving it ends it, and the leash does so if Rind is killed.

What the script sends is not trusted, as any process of its user can write it. A request is read
whole, checked (:func:`~rind.decide.agent_messages.is_allowed`), and answered before the next one of
its connection. Memory is bounded: by the number of connections, by the size of a message, and by
how many requests and answers may wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol

from rind.base.records import replace
from rind.decide.agent_messages import (
    MOST_CONNECTIONS,
    REFUSED,
    BrokenStream,
    Frames,
    Requests,
    body_size,
    frames_of,
    is_allowed,
)
from rind.errors import ExitStatus, RindError, StartError, UsageError
from rind.execution.agent_scripts import agent_config
from rind.execution.tasks import Tasks
from rind.transport.frames import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.execution.exec import Exec, Leaving
    from rind.model import ExecConfig

__all__ = ["Carrier", "Open", "open_with_agent"]

_log: Final = logging.getLogger(__name__)

READY_WITHIN: Final = 10.0
"""Seconds for the script to make its socket; it takes a tenth of one."""

ENDS_WITHIN: Final = 5.0
"""Seconds for the script to remove its socket, after the end of its stdin; then it is killed."""

LONGEST_LINE: Final = 4096
"""Bytes of the script's first line, or of its complaint."""

MOST_WAITING: Final = 4
"""Requests of one connection that may wait; a client waits for each answer."""


class Open(Protocol):
    """Starts a command in the container."""

    async def __call__(
        self,
        config: ExecConfig,
        size: tuple[int, int] | None = None,
        *,
        leaving: Leaving | None = None,
    ) -> Exec:
        """Start it, as :func:`rind.execution.start.open_exec` does."""
        ...


async def open_with_agent(
    open_exec: Open,
    container: str,
    config: ExecConfig,
    size: tuple[int, int] | None = None,
    *,
    leaving: Leaving | None = None,
) -> Exec:
    """Start a command that has the user's ssh agent for as long as it runs.

    Args:
        open_exec: starts a command in the container.
        container: the container's name, for messages.
        config: the command. Unless it needs the agent, it is started in any case.
        size: the window size (rows, columns) that the command begins with.
        leaving: what leaving the command does to it; None to end it.

    Raises:
        UsageError: there is no agent here.
        StartError: there is no way for it into the container, or the command could not be started.
        EngineError: the engine failed.
    """
    plain = replace(config, ssh_agent=None)
    try:
        carrier = await _open_carrier(open_exec, container, config)
    except (UsageError, StartError) as exc:
        if config.needs_ssh_agent:
            raise
        _log.info("%s", exc)
        execution = await open_exec(plain, size, leaving=leaving)
        execution.without_agent = str(exc)
        return execution
    name = "SSH_AUTH_SOCK="
    env = [variable for variable in plain.env if not variable.startswith(name)]
    async with AsyncExitStack() as undo:
        undo.push_async_callback(carrier.aclose)
        with_socket = replace(plain, env=[*env, f"{name}{carrier.path}"])
        execution = await open_exec(with_socket, size, leaving=leaving)
        execution.carrier = carrier
        undo.pop_all()
    return execution


async def _open_carrier(open_exec: Open, container: str, config: ExecConfig) -> Carrier:
    """Start the script in the container, and carry its connections to the agent.

    Raises:
        UsageError: there is no agent here.
        StartError: the container cannot have a socket for it.
        EngineError: the engine failed.
    """
    agent = config.ssh_agent or ""
    await _check(agent)
    try:
        script = await open_exec(agent_config(config.user))
        async with AsyncExitStack() as undo:
            undo.push_async_exit(script)
            async with asyncio.timeout(READY_WITHIN):
                path, rest = await _socket_of(script)
            undo.pop_all()
    except StartError as exc:
        raise _no_way(container, exc.reason or str(exc)) from exc
    except BrokenStream as exc:
        raise _no_way(container, str(exc)) from exc
    except TimeoutError as exc:
        raise _no_way(container, f"no socket for it within {READY_WITHIN:g} s") from exc
    return Carrier(script, path, agent, rest)


def _no_way(container: str, why: str) -> StartError:
    what = f"the ssh agent cannot be carried into {container}"
    return StartError(f"{what}: {why}", ExitStatus.FAILED)


async def _check(agent: str) -> None:
    """Check that an agent of ours listens at a path.

    Raises:
        UsageError: none does.
    """
    if not agent:
        raise UsageError("there is no ssh agent here: SSH_AUTH_SOCK is not set")
    try:
        found = os.stat(agent)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise UsageError(f"SSH_AUTH_SOCK names no socket of yours: {agent}")
        _, writer = await asyncio.open_unix_connection(agent)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        raise UsageError(f"no ssh agent answers at {agent} (SSH_AUTH_SOCK): {why}") from exc
    writer.close()


async def _socket_of(script: Exec) -> tuple[str, bytes]:
    """Return the path of the socket, once there is one, and the output that followed it.

    Raises:
        BrokenStream: the script has ended, with this message, or has not printed a path.
        StartError, EngineError: as :meth:`Exec.read`.
    """
    printed = complaint = b""
    while b"\n" not in printed and len(printed + complaint) < LONGEST_LINE:
        part = await script.read()
        if part is None:
            await script.wait()
            break
        stream, data = part
        if stream == STDOUT:
            printed += data
        else:
            complaint += data
    line, newline, rest = printed.partition(b"\n")
    path = line.decode(errors="replace")
    if newline and path.startswith("/") and path.isascii() and path.isprintable():
        return path, rest
    said = complaint.decode(errors="replace").strip().splitlines()
    raise BrokenStream(said[-1] if said else "its script failed")


class Carrier:
    """Carries the connections to a socket in a container to the user's ssh agent.

    Args:
        script: the script in the container.
        path: the path of the socket there.
        agent: the path of the agent's socket here.
        received: the script's output after its first line, as far as it was received.

    Attributes:
        path: as it was given.
    """

    def __init__(self, script: Exec, path: str, agent: str, received: bytes) -> None:
        self.path = path
        self._script = script
        self._agent = agent
        self._frames = Frames()
        self._connections: dict[int, _Connection] = {}
        self._ending: set[int] = set()  # those whose last frame is not sent yet
        # One task writes, because a write that is cancelled may have sent a part of a frame.
        self._to_send: asyncio.Queue[bytes] = asyncio.Queue(MOST_CONNECTIONS)
        self._tasks = Tasks()
        self._is_closing = False
        self._carrying = self._tasks.spawn(self._carry(received))
        self._tasks.spawn(self._write())

    async def aclose(self) -> None:
        """End the script, which removes its socket. Idempotent. Bounded in time."""
        self._is_closing = True
        try:
            with suppress(RindError, TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN):
                    await self._script.send_eof()
                    await asyncio.wait({self._carrying})
                    await self._script.wait()
        finally:
            await self._tasks.cancel()
            await self._script.aclose()

    async def _carry(self, received: bytes) -> None:
        """Pass on what the script sends, until it ends or sends anything but frames."""
        try:
            self._take(received)
            while (part := await self._script.read()) is not None:
                if part[0] == STDOUT:
                    self._take(part[1])
        except RindError as exc:
            _log.debug("the ssh agent is carried no longer: %s", exc)
        except BrokenStream as exc:
            _log.info("the ssh agent is carried no longer: %s", exc)
            await self._script.aclose()

    async def _write(self) -> None:
        while True:
            await self._script.write(await self._to_send.get())

    def _take(self, received: bytes) -> None:
        """Take the script's next bytes.

        Raises:
            BrokenStream: they are no frames, or a number is used again too early.
        """
        for number, data in self._frames.feed(received):
            connection = self._connections.get(number)
            if connection is None and number in self._ending:
                raise BrokenStream(f"connection {number} has not ended yet")
            if not data:
                self._close_there(number)
            else:
                (connection or self._open(number)).take(data)

    def _open(self, number: int) -> _Connection:
        self._connections[number] = connection = _Connection()
        connection.task = self._tasks.spawn(connection.serve(self._agent, number, self._to_send))
        connection.task.add_done_callback(lambda _: self._close_here(number))
        return connection

    def _close_there(self, number: int) -> None:
        """Note that the client has gone; close the connection here too, unless that is so."""
        connection = self._connections.pop(number, None)
        if connection is None:
            self._close_here(number)
        elif not connection.task.done():
            self._ending.add(number)
            connection.task.cancel()

    def _close_here(self, number: int) -> None:
        if not self._is_closing:
            self._ending.add(number)
            self._tasks.spawn(self._tell_end(number))

    async def _tell_end(self, number: int) -> None:
        await self._to_send.put(frames_of(number, b""))
        self._ending.discard(number)


class _Connection:
    """One connection to the agent.

    Attributes:
        task: that of :meth:`serve`.
    """

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self._requests = Requests()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)

    def take(self, data: bytes) -> None:
        """Take the client's next bytes; end the connection if no client would send them."""
        if self.task.done():
            return
        try:
            for request in self._requests.feed(data):
                self._waiting.put_nowait(request)
        except (BrokenStream, asyncio.QueueFull):
            self.task.cancel()

    async def serve(self, agent: str, number: int, to_send: asyncio.Queue[bytes]) -> None:
        """Have the agent answer the client's requests, one after the other.

        Args:
            agent: the path of its socket.
            number: the connection's.
            to_send: takes the frames of the answers.

        Raises:
            OSError, EOFError, BrokenStream: the agent has gone, or its answer is no message.
        """
        reader, writer = await asyncio.open_unix_connection(agent)
        try:
            while True:
                request, answer = await self._waiting.get(), REFUSED
                if is_allowed(request):
                    writer.write(request)
                    answer = await reader.readexactly(4)
                    answer += await reader.readexactly(body_size(answer))
                await to_send.put(frames_of(number, answer))
        finally:
            writer.close()
