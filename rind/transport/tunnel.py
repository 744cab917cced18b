"""A tunnel: plain bytes at one end, TLS at the other, so that a command's stream is a plain socket.

Goal: the hijacked stream (:mod:`rind.transport.hijacked`) half-closes, splices and waits for TLS as
for any other socket, and knows nothing of it.

Plan: the stream gets one end of a socket pair. The tunnel moves bytes between the other end and the
engine's socket, and encrypts or decrypts them, within the event loop's callbacks.
- Each direction holds the bytes of about one read. While they are pending, it waits for room to
  send them and receives nothing more, so the sockets' own buffers are the backpressure.
- The end of one direction follows its last byte. From the stream, a half-close becomes close_notify
  and a half-close of TCP; from the engine, close_notify becomes a half-close of the socket pair.
- The tunnel closes itself once both directions have ended and nothing is pending.

Doubts:
- The stream sees the same end of the socket pair whether the engine ended its output or the TLS
  connection broke. So it asks for :attr:`_Tunnel.failure` at the end.
- An engine that takes no more input must still be heard. So an error of sending ends one direction
  only, and the stream's next write fails (:meth:`_Direction.refuse`).
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
    """Return a connection whose bytes are encrypted and go over ``sock``, which it owns.

    Args:
        sock: connected to the engine.
        state: after the handshake.
        early: decrypted bytes that are to be read first.
    """
    near, far = socket.socketpair()
    tune(sock)
    return Connection(near, early, _Tunnel(far, sock, state))


class _Tunnel:
    """Moves bytes between a plain socket and an engine's encrypted one.

    Attributes:
        failure: why the tunnel broke before the engine ended the stream; None if it did not.
    """

    def __init__(self, plain: socket.socket, engine: socket.socket, state: TlsState) -> None:
        self.failure: OSError | None = None
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._up = _Direction(plain, engine)
        self._down = _Direction(engine, plain)
        self._waits: dict[tuple[socket.socket, bool], Callable[[], None]] = {}
        self._is_closed = False
        for sock in (plain, engine):
            sock.setblocking(False)
        self._decrypt()  # bytes that arrived together with the answer

    def close(self) -> None:
        """Close both sockets at once. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._wait_for({})
            self._up.source.close()
            self._down.source.close()

    def forget(self) -> None:
        """Close the copies of both sockets in a child that was just forked.

        The event loop is not told: it shares its epoll instance with the parent's (epoll(7)).
        """
        self._is_closed = True
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
        self._move()

    def _from_engine(self) -> None:
        try:
            self._state.feed(self._down.source.recv(READ_SIZE))
        except BlockingIOError:
            return
        except OSError as exc:
            self._fail(exc)
        self._decrypt()

    def _decrypt(self) -> None:
        """Read all decrypted bytes: :meth:`TlsState.write_eof` needs that."""
        try:
            while not self._down.has_ended and (data := self._state.read()) is not None:
                self._down.pending += data
                self._down.has_ended = not data
        except TlsError as exc:
            self._fail(exc)
        self._move()

    def _fail(self, exc: OSError) -> None:
        self.failure = self.failure or exc
        self._down.has_ended = True

    def _move(self) -> None:
        """Send pending bytes while there is room, then wait for the next event."""
        self._up.pending += self._state.to_send()
        for direction in (self._up, self._down):
            direction.send()
        if self._up.has_ended and self._down.has_ended and not self._pending:
            self.close()
            return
        waits = {}
        receivers = ((self._up, self._from_plain), (self._down, self._from_engine))
        for direction, receive in receivers:
            if direction.pending:
                waits[direction.sink, True] = self._move
            elif not direction.has_ended:
                waits[direction.source, False] = receive
        self._wait_for(waits)

    @property
    def _pending(self) -> bool:
        return bool(self._up.pending or self._down.pending)

    def _wait_for(self, waits: dict[tuple[socket.socket, bool], Callable[[], None]]) -> None:
        # Each key is a socket, and whether to wait for room to send; otherwise, for bytes.
        for sock, for_room in self._waits.keys() - waits.keys():
            (self._loop.remove_writer if for_room else self._loop.remove_reader)(sock)
        for (sock, for_room), callback in waits.items():
            if (sock, for_room) not in self._waits:
                (self._loop.add_writer if for_room else self._loop.add_reader)(sock, callback)
        self._waits = waits


class _Direction:
    """One direction of a tunnel.

    Attributes:
        source, sink: the sockets to receive from and to send to.
        pending: bytes to send, already encrypted or decrypted.
        has_ended: whether nothing more will be received.
    """

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.pending = bytearray()
        self.has_ended = False
        self._is_shut = False

    def send(self) -> None:
        """Send pending bytes while there is room; after the last one, half-close the sink."""
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
        """Receive nothing more, so that the sender at the source's other end gets an error."""
        self.has_ended = True
        self.pending.clear()
        with suppress(OSError):
            self.source.shutdown(socket.SHUT_RD)
