"""Dialers: each connects to one engine, by the transport of its endpoint.

Only the dialer knows the transport: requests and hijacked streams use the wires that it opens.
"""

from __future__ import annotations

from functools import partial

from rind.base.light import socket
from rind.transport.carrier import Disconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from rind.base.deadline import Deadline
    from rind.transport.wire import Place, Wire, WireKind

    class Dialer(Protocol):
        """Connects to one engine, any number of times.

        Attributes:
            name: the engine's name for the Host header.
        """

        name: str

        async def ready(self) -> None:
            """Prepare to dial. Call it before a request's timeout starts: it may take longer.

            Raises:
                OSError: the engine cannot be reached.
            """

        async def dial(self, deadline: Deadline) -> Wire:
            """Connect before ``deadline``, a time by :func:`time.monotonic`.

            Raises:
                OSError: the engine cannot be reached; TimeoutError: not in time.
            """

        def using(self, kind: WireKind) -> Dialer:
            """Return a dialer for the same engine with wires of another kind."""


__all__ = ["PlainDialer", "places"]


def places(url: str, flags: int = 0) -> list[Place]:
    """Return the addresses of an endpoint's URL. Blocks while the host name is resolved.

    Args:
        url: of an endpoint.
        flags: of getaddrinfo(3).

    Raises:
        OSError: the host name cannot be resolved.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        # An abstract socket (unix(7)) is written with a leading @, which stands for a NUL.
        return [(socket.AF_UNIX, f"\0{rest[1:]}" if rest.startswith("@") else rest)]
    host, _, port = rest.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


class PlainDialer:
    """Connects to a unix socket or by unencrypted TCP.

    Attributes:
        name: the engine's name for the Host header.
        place: the address that answered, for the next connections; None before the first.
    """

    def __init__(self, url: str, kind: WireKind, place: Place | None = None) -> None:
        self.place = place
        # Over a unix socket, the engine accepts any name.
        self.name = "docker" if url.startswith("unix:") else url.partition("://")[2]
        self._url = url
        self._kind = kind

    async def ready(self) -> None:
        """Do nothing: there is nothing to prepare."""

    async def dial(self, deadline: Deadline) -> Wire:
        """Connect to the first address that answers."""
        addresses = [self.place] if self.place else await self._places(deadline)
        for number, place in enumerate(addresses, 1):
            try:
                wire = await self._kind.open(place, deadline)
            except OSError:
                if number == len(addresses):
                    raise
            else:
                self.place = place
                return wire
        raise Disconnected  # the host name has no address

    async def _places(self, deadline: Deadline) -> list[Place]:
        try:
            return places(self._url, socket.AI_NUMERICHOST)
        except OSError:  # it is a name: a name server may take long
            return await self._kind.unblocked(partial(places, self._url), deadline)

    def using(self, kind: WireKind) -> PlainDialer:
        """Return a dialer for the same engine with wires of another kind."""
        return PlainDialer(self._url, kind, self.place)
