"""A proxy between Rind and a real engine's socket that causes a chosen fault.

It relays every connection both ways, and counts the relayed bytes. At a chosen count it causes
the fault, so that a fault is repeatable at every point of an exchange.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path


class Fault(Enum):
    """What happens at the chosen point."""

    NONE = auto()
    RESET = auto()
    """Every connection is closed abruptly; new ones are accepted again."""
    GONE = auto()
    """Every connection is closed abruptly, and no new one is accepted: the engine has died."""
    TRUNCATE = auto()
    """Every connection ends cleanly, as if it were complete."""
    RESTART = auto()
    """Every connection is closed abruptly, but on our side only, as if the engine had restarted and
    its containers ran on; new ones are accepted once ``back`` is set."""


@dataclass
class FaultProxy:
    """The proxy's settings, and its observations.

    Attributes:
        at: the count of relayed bytes, both ways together, at which the fault happens.
        delay: seconds by which each piece is late, in each direction, as behind a slow line.
        piece: the size of the pieces to relay, in bytes; None leaves them as they arrive.
        hold_until: an event before which the engine's bytes are held back.
        hold_starts_until: an event before which requests to start a command are held back.
        held: bytes that identify these requests.
        holds_start: set once such a request has arrived.
        watched: the first bytes of a write to watch for.
        has_seen: set once such a write has arrived.
        back: an event that ends a restart.
        relayed: bytes so far.
    """

    upstream: str
    fault: Fault = Fault.NONE
    at: int = 0
    delay: float = 0.0
    piece: int | None = None
    hold_until: asyncio.Event | None = None
    hold_starts_until: asyncio.Event | None = None
    held: bytes = b"/start HTTP/"
    holds_start: asyncio.Event = field(default_factory=asyncio.Event)
    watched: bytes = b"a request of no client"
    has_seen: asyncio.Event = field(default_factory=asyncio.Event)
    back: asyncio.Event = field(default_factory=asyncio.Event)
    relayed: int = 0
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    sockets: list[socket.socket] = field(default_factory=list)

    async def serve(self, ours: socket.socket) -> None:
        """Relay one connection."""
        loop = asyncio.get_running_loop()
        if (
            self.struck.is_set()
            and self.fault in {Fault.GONE, Fault.RESTART}
            and not self.back.is_set()
        ):
            ours.close()
            return
        family, address = place_of(self.upstream)
        theirs = socket.socket(family)
        theirs.setblocking(False)
        await loop.sock_connect(theirs, address)
        self.sockets += [ours, theirs]
        with ours, theirs:
            await asyncio.gather(
                self._relay(ours, theirs, None), self._relay(theirs, ours, self.hold_until)
            )
            if self._restarting:
                await asyncio.Event().wait()  # the engine's side stays open

    @property
    def _restarting(self) -> bool:
        return self.fault is Fault.RESTART and self.struck.is_set() and not self.back.is_set()

    async def _relay(
        self, source: socket.socket, sink: socket.socket, hold: asyncio.Event | None
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await loop.sock_recv(source, 65536):
                if hold is not None:
                    await hold.wait()
                if self.hold_starts_until is not None and self.held in data:
                    self.holds_start.set()
                    await self.hold_starts_until.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                for start in range(0, len(data), self.piece or len(data)):
                    await self._pass_on(data[start : start + (self.piece or len(data))], sink)
                if data.startswith(self.watched):
                    self.has_seen.set()
        # A client that is killed with unread bytes resets its connection.
        if not self._restarting:
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    async def _pass_on(self, data: bytes, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        left = self.at - self.relayed
        if self.fault is not Fault.NONE and not self.struck.is_set() and left <= len(data):
            await loop.sock_sendall(sink, data[:left])
            self.struck.set()
            self._strike()
            return
        await loop.sock_sendall(sink, data)
        self.relayed += len(data)

    def _strike(self) -> None:
        ours = slice(0, None, 2) if self.fault is Fault.RESTART else slice(None)
        for sock in self.sockets[ours]:
            with suppress(OSError):
                if self.fault is Fault.TRUNCATE:
                    sock.shutdown(socket.SHUT_RDWR)
                else:
                    # Closing a unix socket with unread bytes resets its peer.
                    sock.shutdown(socket.SHUT_RD)
                    sock.shutdown(socket.SHUT_WR)


def place_of(url: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    """Return the socket address of a URL with an IPv4 address or a path."""
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    return socket.AF_INET, (host, int(port))


@asynccontextmanager
async def fault_proxy(
    upstream: str,
    folder: Path,
    configure: Callable[[FaultProxy], None] = lambda _: None,
    *,
    listens_at: str = "",
) -> AsyncIterator[tuple[str, FaultProxy]]:
    """Serve a proxy for the engine at ``upstream``; yield its URL and its settings.

    Args:
        upstream: ``unix://…`` or ``tcp://…``.
        folder: for its socket.
        configure: changes the settings.
        listens_at: its URL; by default a socket in the folder.
    """
    proxy = FaultProxy(upstream)
    configure(proxy)
    family, address = place_of(listens_at or f"unix://{folder}/proxy.sock")
    tasks: set[asyncio.Task[None]] = set()
    with socket.socket(family) as server:
        server.setblocking(False)
        server.bind(address)
        server.listen(64)
        url = listens_at or f"unix://{folder}/proxy.sock"
        if family == socket.AF_INET:
            url = "tcp://{}:{}".format(*server.getsockname())

        # A cancelled sock_accept() loses a connection that arrives at that moment. A task that is
        # cancelled before its first step loses its connection.
        connections: list[socket.socket] = []

        def accept() -> None:
            with suppress(BlockingIOError):
                connections.append(server.accept()[0])
                connections[-1].setblocking(False)
                tasks.add(asyncio.create_task(proxy.serve(connections[-1])))

        loop = asyncio.get_running_loop()
        loop.add_reader(server, accept)
        try:
            yield url, proxy
        finally:
            loop.remove_reader(server)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in connections:
                connection.close()
            if isinstance(address, str):
                Path(address).unlink()


@contextmanager
def relay_process(
    upstream: str, delay: float = 0.0
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve a proxy from a process of its own; yield its URL and the process.

    Args:
        upstream: as for :func:`fault_proxy`.
        delay: as for :class:`FaultProxy`.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, upstream, folder, str(delay)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.read()  # until it is ready
            try:
                yield f"unix://{folder}/proxy.sock", process
            finally:
                process.kill()


async def _serve(upstream: str, folder: str, delay: str) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.delay = float(delay)

    async with fault_proxy(upstream, Path(folder), configure):
        os.close(sys.stdout.fileno())  # it is ready
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
