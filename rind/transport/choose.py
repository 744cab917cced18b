"""Chooses the transport for an endpoint."""

from __future__ import annotations

from rind.transport.dial import PlainDialer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.endpoint.endpoint import Endpoint
    from rind.transport.dial import Dialer
    from rind.transport.sockets import SocketCarrier
    from rind.transport.wire import WireKind

__all__ = ["dialer_for", "loop_carrier"]


def dialer_for(endpoint: Endpoint, kind: WireKind, *, interactive: bool) -> Dialer:
    """Return a dialer for an endpoint: plain, TLS or ssh.

    Args:
        endpoint: where the engine is.
        kind: the kind of the dialer's wires.
        interactive: whether ssh may prompt the user.

    Raises:
        UsageError: a file for TLS is missing or invalid.
    """
    if endpoint.url.startswith("ssh:"):
        from rind.transport.ssh import SshDialer

        return SshDialer(endpoint.url, kind, interactive=interactive)
    plain = PlainDialer(endpoint.url, kind)
    if endpoint.tls is None:
        return plain
    from rind.transport.tls import tls_context  # loading ssl takes 10 ms
    from rind.transport.tls_wire import TlsDialer

    return TlsDialer(plain, tls_context(endpoint.tls))


def loop_carrier(endpoint: Endpoint, *, keeps: bool, interactive: bool) -> SocketCarrier:
    """Return a carrier for an event loop.

    Args:
        endpoint: where the engine is.
        keeps: whether it keeps connections for later requests, where it can: ssh has one for each.
            Then call this in the loop that uses it.
        interactive: whether ssh may prompt the user.

    Raises:
        UsageError: a file for TLS is missing or invalid.
    """
    from rind.transport.loop_wire import LoopWire
    from rind.transport.sockets import SocketCarrier

    dialer = dialer_for(endpoint, LoopWire, interactive=interactive)
    if keeps and not endpoint.url.startswith("ssh:"):
        from rind.transport.kept import KeepingCarrier

        return KeepingCarrier(dialer, endpoint.headers)
    return SocketCarrier(dialer, endpoint.headers)
