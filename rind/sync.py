"""The embedding API for code without an event loop."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any, Self, Unpack

from rind.client import connect
from rind.decide.plan import BARE
from rind.keywords import ConnectOptions, takes
from rind.oneshot import run, run_found
from rind.signatures import as_run_sync

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from types import TracebackType

    from rind.client import Client
    from rind.decide.plan import Words
    from rind.execution.capture import CompletedProcess

__all__ = ["SyncClient", "connect_sync", "run_sync"]


@as_run_sync
def run_sync(argv: Words = BARE, **options: Any) -> CompletedProcess[Any]:
    """Run a command as :func:`run` does, in code that has no event loop.

        done = rind.run_sync(["./manage.py", "check"], check=True)

    Raises:
        RuntimeError: an event loop is running.
        RindError: as :func:`run`.
    """
    _require_no_loop("run_sync()", "await rind.run()")
    return asyncio.run(run(argv, **options))


class SyncClient:
    """A client for code that has no event loop: it is connected once. Made by :func:`connect_sync`.

    Its own event loop runs only while one of its methods does.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __repr__(self) -> str:
        return repr(self._client).replace("<Client", "<SyncClient", 1)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            RuntimeError: an event loop is running.
            Unreachable: nothing answers, or something that is not a Docker Engine.
        """
        _require_no_loop("connect_sync()", "async with rind.connect()")
        try:
            self._runner.run(self._client.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._runner:
            self._runner.run(self._client.__aexit__(exc_type, exc, traceback))

    @as_run_sync
    def run(self, argv: Words = BARE, **options: Any) -> CompletedProcess[Any]:
        """Run a command as :func:`run` does, over this client's connections.

            with rind.connect_sync() as client:
                for name in ("/etc/hosts", "/etc/hostname"):
                    client.run(["cat", name], service="web", check=True)

        Raises:
            RuntimeError: an event loop is running.
            RindError: as :func:`run`.
        """
        _require_no_loop("run() of a SyncClient", "a Client there")
        return self._runner.run(run_found(nullcontext(self._client), argv, **options))


@takes(ConnectOptions, like=connect)
def connect_sync(host: str | None = None, **options: Unpack[ConnectOptions]) -> SyncClient:
    """Return a client for code that has no event loop, to be used as a context manager.

        with rind.connect_sync() as client:
            print(client.run(["./manage.py", "check"], text=True).stdout)

    Args:
        host: the engine, as for :func:`connect`.
        options: those of :func:`connect`.

    Raises:
        UsageError: as :func:`connect`.
    """
    return SyncClient(connect(host, **options))


def _require_no_loop(what: str, instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{what} cannot be called where an event loop runs: use {instead}")
