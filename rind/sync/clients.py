"""The embedding API for code that blocks."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any, Self, cast

from rind.client import Client, connect
from rind.decide.plan import BARE
from rind.engine.api import REQUEST_TIMEOUT
from rind.keywords import ConnectOptions, takes
from rind.oneshot import run, run_found
from rind.signatures import as_run_found_sync, as_run_sync
from rind.sync.methods import Blocking, blocking, same
from rind.sync.portal import Portal
from rind.sync.targets import SyncTarget

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from rind.decide.plan import Words
    from rind.endpoint.endpoint import Endpoint
    from rind.execution.capture import CompletedProcess
    from rind.model import Caller
    from rind.target import Target

__all__ = ["SyncClient", "connect_sync", "run_sync"]


@as_run_sync
def run_sync(argv: Words = BARE, **options: Any) -> CompletedProcess[Any]:
    """Run a command as :func:`run` does, and block until its end.

        done = rind.run_sync(["./manage.py", "check"], check=True)

    Raises:
        RindError: as :func:`run`.
    """
    portal = Portal("run_sync()")
    try:
        return portal.call(cast("Callable[..., Any]", run), argv, **options)
    finally:
        portal.close()


def _shown(client: Blocking[Client], target: Target) -> SyncTarget:
    assert isinstance(client, SyncClient)  # noqa: S101 # only its own methods call this
    return SyncTarget(target, client)


def _all_shown(client: Blocking[Client], targets: list[Target]) -> list[SyncTarget]:
    return [_shown(client, target) for target in targets]


class SyncClient(Blocking[Client]):
    """A connection to one engine, for code that blocks. Made by :func:`connect_sync`.

    It connects when its context is entered, or at its first use. Leaving the context, or
    :meth:`close`, ends the commands that are still open. Several threads may use it at once. Its
    own event loop runs in a thread of its own.
    """

    def __init__(self, inner: Client) -> None:
        super().__init__(inner)
        self._connecting = threading.Lock()
        self._connected: Portal | None = None

    def __repr__(self) -> str:
        return repr(self._inner).replace("<Client", "<SyncClient", 1)

    @property
    def _portal(self) -> Portal:
        if self._connected is None:
            self._connect()
        return cast("Portal", self._connected)

    def _connect(self) -> None:
        with self._connecting:
            if self._connected is None:
                self._connected = self._connection()

    def _connection(self) -> Portal:
        portal = Portal(repr(self))
        try:
            portal.call(self._inner.__aenter__)
        except BaseException:
            portal.close()
            raise
        inner = self._inner
        portal.at_end = lambda: inner.__aexit__(None, None, None)
        return portal

    @property
    def endpoint(self) -> Endpoint:
        """The engine's address and settings."""
        return self._inner.endpoint

    @property
    def caller(self) -> Caller:
        """The caller's working directory and project, which decide between containers."""
        return self._inner.caller

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: no engine answers at the address.
        """
        self._connect()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if (portal := self.__dict__.get("_connected")) is not None:
            portal.abandon()

    def close(self) -> None:
        """End the commands that are still open, and the connections. Idempotent.

            client = rind.connect_sync()
            print(client.versions())
            client.close()

        Pending calls of other threads raise an exception.

        Raises:
            EngineError: the engine failed.
        """
        if self._connected is not None:
            self._connected.close()

    @as_run_found_sync
    def run(self, argv: Words = BARE, **options: Any) -> CompletedProcess[Any]:
        """Run a command as :func:`run` does, over this client's connections.

            with rind.connect_sync() as client:
                for name in ("/etc/hosts", "/etc/hostname"):
                    client.run(["cat", name], service="web", check=True)

        Raises:
            RindError: as :func:`run`.
        """
        return self._portal.call(run_found, nullcontext(self._inner), argv, **options)

    find = blocking(Client.find, _shown)
    find_all = blocking(Client.find_all, _all_shown)
    wait_for = blocking(Client.wait_for, _shown)
    wait_for_all = blocking(Client.wait_for_all, _all_shown)
    reach = blocking(Client.reach, _shown)
    container = blocking(Client.container)
    containers = blocking(Client.containers)
    running = blocking(Client.running)
    versions = blocking(Client.versions)
    info = blocking(Client.info)
    stands_elsewhere = same(Client.stands_elsewhere)


@takes(ConnectOptions, like=connect)
def connect_sync(
    host: str | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = REQUEST_TIMEOUT,
) -> SyncClient:
    """Return a client for code that blocks. Use it as a context manager, or close it.

        with rind.connect_sync() as client:
            web = client.find(service="web")
            print(web.run(["./manage.py", "check"], text=True).stdout)

    Args:
        host: as for :func:`connect`, and so are the others.
        context: the name of a docker context.
        environ: the environment variables; by default ``os.environ``.
        timeout: seconds for connecting, and for each answer of the engine.

    Raises:
        UsageError: as :func:`connect`.
    """
    return SyncClient(connect(host, context=context, environ=environ, timeout=timeout))
