"""A tunnel: plain bytes at one end, TLS at the other, so that a command's stream is a plain socket.

What is above it half-closes, splices and waits for it as it does for any other. Bytes are moved
within the event loop's callbacks; nothing is received before there is room for it, which makes the
sockets' own buffers the backpressure in both directions.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from rind.transport.carrier import Connection
from rind.transport.tls import TlsError, TlsState
from rind.transport.wire import READ_SIZE, tune

__all__ = ["tunnelled"]


def tunnelled(sock: socket.socket, state: TlsState, early: bytes) -> Connection:
    """Return a connection whose bytes go over ``sock`` encrypted; it owns that socket."""
    near, far = socket.socketpair()
    tune(sock)
    return Connection(near, early, _Tunnel(far, sock, state))


class _Tunnel:
    """Moves bytes between a plain socket and one of an engine.

    Attributes:
        failure: why it has ended before the engine's end of the stream; None if it has not.
    """

    def __init__(self, plain: socket.socket, engine: socket.socket, state: TlsState) -> None:
        self.failure: OSError | None = None
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._up = _Way(plain, engine)
        self._down = _Way(engine, plain)
        self._waits: dict[tuple[socket.socket, bool], Callable[[], None]] = {}
        self._is_closed = False
        for sock in (plain, engine):
            sock.setblocking(False)
        self._decrypt()  # what had come with the answer

    def close(self) -> None:
        """End it at once. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._wait_for({})
            self._up.source.close()
            self._down.source.close()

    def _from_plain(self) -> None:
        with suppress(BlockingIOError):
            try:
                data = self._up.source.recv(READ_SIZE)
            except ConnectionResetError:
                data = b""
            if not data:
                self._up.has_ended = True
                self._state.write_eof()
            elif not self._state.write(data):
                self._up.refuse()
        self._go_on()

    def _from_engine(self) -> None:
        try:
            self._state.feed(self._down.source.recv(READ_SIZE))
        except BlockingIOError:
            return
        except OSError as exc:
            self._fail(exc)
        self._decrypt()

    def _decrypt(self) -> None:
        """Read all that there is: see :meth:`TlsState.write_eof`."""
        try:
            while not self._down.has_ended and (data := self._state.read()) is not None:
                self._down.pending += data
                self._down.has_ended = not data
        except TlsError as exc:
            self._fail(exc)
        self._go_on()

    def _fail(self, exc: OSError) -> None:
        self.failure = self.failure or exc
        self._down.has_ended = True

    def _go_on(self) -> None:
        """Send what can be sent, and wait for what can be next."""
        self._up.pending += self._state.to_send()
        for way in (self._up, self._down):
            way.send()
        if self._up.has_ended and self._down.has_ended and not self._pending:
            self.close()
            return
        waits = {}
        for way, receive in ((self._up, self._from_plain), (self._down, self._from_engine)):
            if way.pending:
                waits[way.sink, True] = self._go_on
            elif not way.has_ended:
                waits[way.source, False] = receive
        self._wait_for(waits)

    @property
    def _pending(self) -> bool:
        return bool(self._up.pending or self._down.pending)

    def _wait_for(self, waits: dict[tuple[socket.socket, bool], Callable[[], None]]) -> None:
        for sock, for_room in self._waits.keys() - waits.keys():
            (self._loop.remove_writer if for_room else self._loop.remove_reader)(sock)
        for (sock, for_room), then in waits.items():
            if (sock, for_room) not in self._waits:
                (self._loop.add_writer if for_room else self._loop.add_reader)(sock, then)
        self._waits = waits


class _Way:
    """One direction.

    Attributes:
        source, sink: where it leads from, and to.
        pending: what was received, and waits to be sent.
        has_ended: whether nothing more will be received.
    """

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.pending = bytearray()
        self.has_ended = False
        self._is_shut = False

    def send(self) -> None:
        """Send what is pending, as far as there is room, and then the end."""
        try:
            while self.pending:
                del self.pending[: self.sink.send(self.pending)]
            if self.has_ended and not self._is_shut:
                self._is_shut = True
                self.sink.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self.refuse()

    def refuse(self) -> None:
        """Take nothing more from the source; who sends to it gets an error."""
        self.has_ended = True
        self.pending.clear()
        with suppress(OSError):
            self.source.shutdown(socket.SHUT_RD)
