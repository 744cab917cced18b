"""Dialers: each connects to one engine, by the transport that its endpoint names.

What is above a dialer does not know the transport: the requests and the hijacked streams go over
the wires that it makes.
"""

from __future__ import annotations

import socket

from rind.transport.carrier import Disconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from rind.transport.wire import Place, Wire, WireKind

    class Dialer(Protocol):
        """Connects to one engine, any number of times.

        Attributes:
            name: the engine's, for the Host header.
        """

        name: str

        async def ready(self) -> None:
            """Do what takes time of its own, before the time of a request begins.

            Raises:
                OSError: the engine cannot be reached.
            """

        async def dial(self, deadline: float) -> Wire:
            """Connect, until a time by :func:`time.monotonic`.

            Raises:
                OSError: the engine cannot be reached; TimeoutError: not in time.
            """

        def using(self, kind: WireKind) -> Dialer:
            """Return a dialer for the same engine whose wires wait in another way."""


__all__ = ["PlainDialer", "places"]


def places(url: str) -> list[Place]:
    """Return where an endpoint's URL leads. Blocks while a name is resolved.

    Raises:
        OSError: the name cannot be resolved.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        # An abstract one has a NUL where people write an @.
        return [(socket.AF_UNIX, f"\0{rest[1:]}" if rest.startswith("@") else rest)]
    host, _, port = rest.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


class PlainDialer:
    """Connects to a socket of this machine, or by TCP.

    Attributes:
        name: as the contract has it.
        place: where the URL leads; None until it was seen.
    """

    def __init__(self, url: str, kind: WireKind, place: Place | None = None) -> None:
        self.place = place
        # To a unix socket's owner, any name is one.
        self.name = "docker" if url.startswith("unix:") else url.partition("://")[2]
        self._url = url
        self._kind = kind

    async def ready(self) -> None:
        """Do nothing."""

    async def dial(self, deadline: float) -> Wire:
        """Connect to the first of the places that answers."""
        known = places(self._url) if self.place is None else [self.place]
        for number, place in enumerate(known, 1):
            try:
                wire = await self._kind.open(place, deadline)
            except OSError:
                if number == len(known):
                    raise
            else:
                self.place = place
                return wire
        raise Disconnected  # a name without an address

    def using(self, kind: WireKind) -> PlainDialer:
        """Return the same with another kind of wires."""
        return PlainDialer(self._url, kind, self.place)
