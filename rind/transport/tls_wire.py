"""TLS over wires of any kind."""

from __future__ import annotations

from rind.transport.tls import TlsState

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from rind.transport.carrier import Connection
    from rind.transport.dial import PlainDialer
    from rind.transport.wire import Wire, WireKind

__all__ = ["TlsDialer", "TlsWire"]


class TlsWire:
    """A wire over another one."""

    def __init__(self, wire: Wire, state: TlsState) -> None:
        self.tunnel = wire.tunnel
        self._wire = wire
        self._state = state

    @property
    def deadline(self) -> float:
        """As the contract has it."""
        return self._wire.deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._wire.deadline = deadline

    async def shake_hands(self) -> None:
        """Agree on keys, and verify the engine.

        Raises:
            TlsError: as :meth:`TlsState.shake_hands`.
        """
        while not self._state.shake_hands():
            await self._flush()
            self._state.feed(await self._wire.receive())
        await self._flush()

    async def send(self, data: bytes) -> None:
        """Do as the contract says."""
        self._state.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Do as the contract says."""
        while (data := self._state.read()) is None:
            await self._flush()
            self._state.feed(await self._wire.receive())
        return data

    def into(self, kind: WireKind) -> Wire:
        """Do as the contract says."""
        return TlsWire(self._wire.into(kind), self._state)

    def handed_over(self, early: bytes) -> Connection:
        """Do as the contract says. It needs a running event loop."""
        from rind.transport.tunnel import tunnelled  # noqa: PLC0415 # it needs asyncio

        return tunnelled(self._wire.handed_over(b"").sock, self._state, early)

    def close(self) -> None:
        """Do as the contract says."""
        self._wire.close()

    async def _flush(self) -> None:
        if data := self._state.to_send():
            await self._wire.send(data)


class TlsDialer:
    """Connects by TLS.

    Args:
        plain: connects to the engine's place.
        context: from :func:`tls_context`.
    """

    def __init__(self, plain: PlainDialer, context: ssl.SSLContext) -> None:
        self.name = plain.name
        self._plain = plain
        self._context = context
        # The name in the certificate of an IPv6 address has neither brackets nor a zone.
        self._server = plain.name.rpartition(":")[0].strip("[]").partition("%")[0]

    async def ready(self) -> None:
        """Do nothing."""

    async def dial(self, deadline: float) -> Wire:
        """Do as the contract says."""
        plain = await self._plain.dial(deadline)
        try:
            wire = TlsWire(plain, TlsState(self._context, self._server))
            await wire.shake_hands()
        except BaseException:
            plain.close()
            raise
        return wire

    def using(self, kind: WireKind) -> TlsDialer:
        """Do as the contract says."""
        return TlsDialer(self._plain.using(kind), self._context)
