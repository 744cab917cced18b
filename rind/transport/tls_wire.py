"""TLS over wires of any kind."""

from __future__ import annotations

from rind.transport.tls import TlsState

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from rind.base.deadline import Deadline
    from rind.transport.carrier import Connection
    from rind.transport.dial import PlainDialer
    from rind.transport.wire import Wire, WireKind

__all__ = ["TlsDialer", "TlsWire"]


class TlsWire:
    """A wire that encrypts the bytes of another wire."""

    def __init__(self, wire: Wire, state: TlsState) -> None:
        self.tunnel = wire.tunnel
        self._wire = wire
        self._state = state

    @property
    def deadline(self) -> Deadline:
        """The time, by :func:`time.monotonic`, at which each method raises TimeoutError."""
        return self._wire.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._wire.deadline = deadline

    async def shake_hands(self) -> None:
        """Do the TLS handshake, which verifies the engine.

        Raises:
            TlsError: as :meth:`TlsState.shake_hands`.
        """
        while not self._state.shake_hands():
            await self._flush()
            self._state.feed(await self._wire.receive())
        await self._flush()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._state.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Receive the bytes that have arrived, waiting for some; ``b""`` at end of stream."""
        while (data := self._state.read()) is None:
            await self._flush()
            self._state.feed(await self._wire.receive())
        return data

    def is_quiet(self) -> bool:
        """Whether the connection is open, and nothing has arrived on it."""
        return self._wire.is_quiet()

    def into(self, kind: WireKind) -> Wire:
        """Return a wire of another kind that takes over the connection."""
        return TlsWire(self._wire.into(kind), self._state)

    def into_connection(self, early: bytes) -> Connection:
        """Return the connection, which the caller owns from now on. Needs a running event loop."""
        from rind.transport.tunnel import tunnelled

        return tunnelled(self._wire.into_connection(b"").sock, self._state, early)

    def close(self) -> None:
        """Close the connection, unless it was handed over. Idempotent."""
        self._wire.close()

    async def _flush(self) -> None:
        if data := self._state.to_send():
            await self._wire.send(data)


class TlsDialer:
    """Connects by TLS.

    Args:
        plain: opens the unencrypted connection.
        context: from :func:`tls_context`.
    """

    def __init__(self, plain: PlainDialer, context: ssl.SSLContext) -> None:
        self.name = plain.name
        self._plain = plain
        self._context = context
        # A certificate has an IPv6 address without brackets and zone.
        self._server = plain.name.rpartition(":")[0].strip("[]").partition("%")[0]

    async def ready(self) -> None:
        """Do nothing: there is nothing to prepare."""

    async def dial(self, deadline: Deadline) -> Wire:
        """Connect before ``deadline``, and do the TLS handshake."""
        plain = await self._plain.dial(deadline)
        try:
            wire = TlsWire(plain, TlsState(self._context, self._server))
            await wire.shake_hands()
        except BaseException:
            plain.close()
            raise
        return wire

    def using(self, kind: WireKind) -> TlsDialer:
        """Return a dialer for the same engine with wires of another kind."""
        return TlsDialer(self._plain.using(kind), self._context)
