"""A run that stays simple: moves its bytes without an event loop.

Goal: an ordinary command costs no more CPU than one of docker's. Loading asyncio takes twice as
long as everything else together, and a command that ends within a second, with output that is taken
at once, needs none of it.

Plan: wait with poll(2) for the connection, for our stdin and for signals. Move bytes as far as that
needs no waiting. Once the output has ended, ask for the exit status, and leave. Everything else is
for the event loop's pumps (:mod:`rind.attach`), which take over at any byte: a signal, the time
limit, the moment at which the leash is due, output or input that is not taken at once, an answer
that is no plain success. What was received and not written, or read and not sent, goes with it
(:class:`~rind.execution.begin.Begun`, :class:`~rind.execution.local.Local`).

The decisions about received bytes are those of :mod:`rind.execution.incoming`, as in an event loop.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager, suppress

from rind.base.deadline import Deadline
from rind.base.light import signal, socket
from rind.base.records import replace
from rind.errors import Broken, ExitStatus, RindError
from rind.execution.incoming import Incoming, plain_status
from rind.terminal.descriptors import Source
from rind.terminal.standard import STDIN_FD
from rind.terminal.tty import is_terminal, raw_mode, restore_terminals
from rind.transport.carrier import SWITCHING, WrongAnswer
from rind.transport.frames import SYSTEM_ERROR
from rind.transport.http import Response
from rind.transport.wire import READ_SIZE, BlockingWire, finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Final

    from rind.engine.engine import Engine
    from rind.execution.begin import Begun
    from rind.execution.local import Local
    from rind.model import ExecConfig, ExecState
    from rind.transport.carrier import Connection

__all__ = ["Direct"]

AT_MOST: Final = 0.75
"""Seconds from the request to start the command. A leash is due after one, and loading the event
loop takes a part of the rest."""

QUICK: Final = 0.25
"""Seconds for an answer about the state. An engine that takes longer may wait for us to receive."""

MOST_INPUT: Final = 1024 * 1024
"""Bytes of our stdin. In an event loop, the kernel moves larger input by itself."""

POLL_FIRST: Final = 0.001
"""Seconds between two requests for the state after the end of the output; it doubles each time."""

_EVENTS: Final = "_RIND_EVENTS"
"""A variable with the number of events after which to hand over; for tests."""


class Direct:
    """One command whose start was requested.

    Args:
        begun: its start, over a wire that blocks.
        config: the command.
        container: the name of its container.
        engine: the engine, open; over a carrier that blocks.
        local: our side of the streams.
        deadline: the time limit of the run.
    """

    def __init__(  # noqa: PLR0913 # as many as it has collaborators
        self,
        begun: Begun,
        config: ExecConfig,
        container: str,
        *,
        engine: Engine,
        local: Local,
        deadline: Deadline,
    ) -> None:
        self.local = local
        self._begun = begun
        self._config = config
        self._container = container
        self._engine = engine
        self._deadline = deadline
        self._until = begun.requested + AT_MOST
        self._incoming = Incoming(container, tty=config.tty)
        self._response = Response()
        self._head = b""
        self._is_upgraded = False
        self._connection: Connection | None = None
        self._source: Source | None = None
        self._input = 0
        self._last_written = b""
        self._eof_sent = False
        self._was_reset = False
        events = os.environ.get(_EVENTS, "")
        self._events = int(events) if events.isdecimal() else -1

    def run(self) -> int | None:
        """Serve the command; return its exit status, or None if the event loop has to go on."""
        if not self._is_simple():
            return None
        with self._woken() as wake:
            try:
                return self._serve(wake)
            except BaseException:
                self.local.undo_modes()
                raise
            finally:
                if self._source is not None:
                    self._source.close()

    def _serve(self, wake: int) -> int | None:
        if not self._move(wake):
            return None
        if self._config.tty:
            restore_terminals()  # keys belong to the shell, even if the status takes long
        status = self._status(wake)
        if status is not None and self._connection is not None:
            self._connection.sock.close()
            self.local.output.close()
        return status

    def into_begun(self) -> Begun:
        """Return the start as the event loop's pumps go on with it."""
        connection, wire = self._connection, self._begun.wire
        if connection is None or wire is None:
            return self._begun
        if not self._is_upgraded:
            again = BlockingWire(connection.sock, wire.deadline)
            again.unread(self._head)
            return replace(self._begun, wire=again)
        return replace(
            self._begun,
            wire=None,
            connection=replace(
                connection,
                last_written=self._last_written,
                eof_sent=self._eof_sent,
                was_reset=self._was_reset,
            ),
            incoming=self._incoming,
        )

    def _is_simple(self) -> bool:
        config, dialect = self._config, self._engine.dialect
        wire = self._begun.wire
        if config.mapped or dialect.is_podman or self._events == 0:
            return False
        if config.tty and not dialect.takes_console_size:
            return False  # it is resized after the start
        if not isinstance(wire, BlockingWire) or wire.tunnel is not None:
            return False
        self._connection = wire.into_connection(b"")
        self._connection.sock.settimeout(0)
        return True

    @contextmanager
    def _woken(self) -> Iterator[int]:
        """Yield a descriptor that can be read once a signal was handled."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        before: list[tuple[signal.Signals, Any]] = []
        try:
            signal.set_wakeup_fd(woken)
            if self._config.tty:
                if is_terminal(STDIN_FD) and self._config.stdin:
                    self.local.raw = raw_mode(STDIN_FD)

                def handle(number: int, _: FrameType | None) -> None:
                    if number == signal.SIGTSTP:
                        self.local.suspend()
                    elif number == signal.SIGCONT:
                        self.local.resume()

                handled = signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT
                before = [(number, signal.signal(number, handle)) for number in handled]
            yield wake
        finally:
            for number, handler in before:
                signal.signal(number, handler)
            signal.set_wakeup_fd(-1)
            os.close(wake)
            os.close(woken)

    def _move(self, wake: int) -> bool:
        """Move bytes until the output ends; return whether it has, and all of it was written."""
        assert self._connection is not None  # noqa: S101 # see _is_simple
        sock = self._connection.sock
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(sock, select.POLLIN)
        reads_stdin = False
        while not self._incoming.at_end:
            if self._is_upgraded and reads_stdin != self._wants_input():
                reads_stdin = not reads_stdin
                if reads_stdin:
                    poll.register(STDIN_FD, select.POLLIN)
                else:
                    poll.unregister(STDIN_FD)
            left = self._left()
            ready = dict(poll.poll(left * 1000)) if left > 0 else {}
            if not ready or wake in ready or self._is_enough():
                return False
            if sock.fileno() in ready and not self._receive(sock):
                return False
            if STDIN_FD in ready and not self._feed(sock):
                return False
        return True

    def _wants_input(self) -> bool:
        return self._config.stdin and not self.local.stdin_ended

    def _left(self) -> float:
        """Return the seconds until the event loop has to take over."""
        left = self._until - time.monotonic()
        limit = self._deadline.left
        return left if limit is None else min(left, limit)

    def _is_enough(self) -> bool:
        """Count an event; return whether a test wants the hand-over now."""
        self._events -= 1
        return self._events == 0

    def _receive(self, sock: socket.socket) -> bool:
        """Receive once, and write the output; return whether that was simple."""
        try:
            data = sock.recv(READ_SIZE)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            # The kernel reports a reset only once, so note it for later.
            self._was_reset = True
            data = b""
        except OSError as exc:
            failure = Broken(f"the connection to the engine broke: {exc.strerror or exc}")
            failure.__cause__ = exc
            self._incoming.fail(failure)
            return False
        if not self._is_upgraded:
            return self._upgrade(data)
        self._incoming.feed(data)
        return self._write()

    def _upgrade(self, data: bytes) -> bool:
        """Take in a part of the answer's head; return whether it may still be the usual one."""
        self._head += data
        try:
            self._response.feed(data)
        except WrongAnswer:
            return False
        if not self._response.status:
            return bool(data)
        self._is_upgraded = self._response.status == SWITCHING
        if self._is_upgraded and self._response.rest:
            self._incoming.feed(self._response.rest)
            return self._write()
        return self._is_upgraded

    def _write(self) -> bool:
        """Write the received parts; return whether all were taken at once."""
        incoming, output = self._incoming, self.local.output
        if not incoming.parts:
            return True
        if incoming.state is None:
            state = self._inspect()
            if state is None or not state.has_started:
                return False
            incoming.check_started(state)
        if incoming.parts[0][0] == SYSTEM_ERROR:
            return False
        taken = output.take(incoming.take_all())
        return taken and not (incoming.parts or output.failure or output.stdout_failed)

    def _feed(self, sock: socket.socket) -> bool:
        """Send a part of our stdin; return whether that was simple."""
        local = self.local
        if self._source is None:
            self._source = Source(STDIN_FD, wait_for_foreground=not self._config.tty)
        if self._source.may_block or self._input > MOST_INPUT:
            return False
        try:
            data = self._source.read_at_once()
        except BlockingIOError:
            return True
        except OSError:
            return False  # the event loop's pump meets the same error
        if not data:
            if self._config.tty:
                return False
            local.stdin_ended = self._eof_sent = True
            with suppress(OSError):  # the engine has closed the connection: reading reports that
                sock.shutdown(socket.SHUT_WR)
            return True
        self._input += len(data)
        if self._config.tty:
            data = local.keys.feed(data)
        self._last_written = data[-1:] or self._last_written
        sent = 0
        with suppress(OSError):  # if it failed, the event loop's pump meets the same error
            sent = sock.send(data) if data else 0
        local.unsent = data[sent:]
        return not (local.unsent or local.keys.seen)

    def _status(self, wake: int) -> int | None:
        """Return the exit status once the output has ended; None if that takes more."""
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        delay = POLL_FIRST
        with suppress(RindError):  # the event loop's machinery meets it too, and can explain it
            was_written = bool(self._last_written)
            self._incoming.check_end(was_reset=self._was_reset, has_written=was_written)
            while not self._is_enough():
                state = self._inspect()
                if state is None:
                    return None
                status = plain_status(state, self._incoming.last_output, self._container)
                if status is not None:
                    return status if status <= ExitStatus.SIGNALLED else None
                is_settled = not state.running and state.exit_code is not None
                if is_settled or self._left() <= delay or poll.poll(delay * 1000):
                    return None
                delay *= 2
        return None

    def _inspect(self) -> ExecState | None:
        """Return the exec instance's state; None if the engine does not answer soon."""
        try:
            return finish(self._engine.inspect_exec(self._begun.exec_id, Deadline(QUICK)))
        except RindError:
            return None
