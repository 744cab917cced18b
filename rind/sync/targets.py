"""A container, with the commands that run in it, for code that blocks."""

from __future__ import annotations

from typing import IO, Any, cast

from rind.decide.plan import BARE, words
from rind.execution.stdio import DEFAULT_LIMIT
from rind.execution.text import UTF_8, check_encoding
from rind.keywords import OpenKeywords, takes
from rind.signatures import Opening, as_run_in_target_sync
from rind.sync.methods import Blocking, blocking, same
from rind.sync.popen import SyncProcess
from rind.target import Target

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import Callable

    from rind.client import Client
    from rind.decide.plan import Words
    from rind.decide.profile import Profile
    from rind.endpoint.endpoint import Endpoint
    from rind.model import Container
    from rind.sync.portal import Portal

__all__ = ["SyncTarget"]

OpenProcessSync = Opening[
    SyncProcess[IO[bytes], IO[bytes], IO[bytes]],
    SyncProcess[IO[bytes], IO[bytes], None],
    SyncProcess[IO[bytes], None, IO[bytes]],
    SyncProcess[IO[bytes], None, None],
    SyncProcess[None, IO[bytes], IO[bytes]],
    SyncProcess[None, IO[bytes], None],
    SyncProcess[None, None, IO[bytes]],
    SyncProcess[None, None, None],
    SyncProcess[IO[bytes] | None, IO[bytes] | None, IO[bytes] | None],
    SyncProcess[IO[str], IO[str], IO[str]],
    SyncProcess[IO[str], IO[str], None],
    SyncProcess[IO[str], None, IO[str]],
    SyncProcess[IO[str], None, None],
    SyncProcess[None, IO[str], IO[str]],
    SyncProcess[None, IO[str], None],
    SyncProcess[None, None, IO[str]],
    SyncProcess[None, None, None],
    SyncProcess[IO[str] | None, IO[str] | None, IO[str] | None],
]
"""The type of :meth:`SyncTarget.open_process`."""


if TYPE_CHECKING:

    def _as_open_process(function: Callable[..., Any]) -> OpenProcessSync:
        """Give a function the overloads, and check its keywords. A decorator."""
        return function
else:
    _as_open_process = takes(OpenKeywords, like=Target.open_process)


class SyncTarget(Blocking[Target]):
    """A container to run commands in, as :class:`rind.Target`, for code that blocks."""

    def __init__(self, inner: Target, client: Blocking[Client]) -> None:
        super().__init__(inner)
        self._client = client

    def __repr__(self) -> str:
        return repr(self._inner).replace("<Target", "<SyncTarget", 1)

    @property
    def _portal(self) -> Portal:
        return self._client._portal  # noqa: SLF001 # of the same package

    @property
    def container(self) -> Container:
        """The container as it was found. With ``follow=True``, its successor replaces it."""
        return self._inner.container

    @property
    def reason(self) -> str:
        """The reason of its choice, such as "the only one with the label app.rind"."""
        return self._inner.reason

    @property
    def endpoint(self) -> Endpoint:
        """The address of the container's engine; for a swarm's task, of its node's engine."""
        return self._inner.endpoint

    @property
    def profile(self) -> Profile:
        """The profile that the container's labels give to commands.

        Raises:
            SelectionError: a label is unknown, or its value is invalid.
        """
        return self._inner.profile

    run = as_run_in_target_sync(blocking(cast("Callable[..., Any]", Target.run)))

    @_as_open_process
    def open_process(
        self,
        argv: Words = BARE,
        *,
        encoding: str | None = None,
        errors: str = "strict",
        limit: int = DEFAULT_LIMIT,
        **options: Any,
    ) -> SyncProcess[Any, Any, Any]:
        """Start a command, as :class:`subprocess.Popen` does; leaving its context ends it.

            with web.open_process(["cat"]) as process:
                process.stdin.write(b"some bytes")
                process.stdin.close()
                print(process.stdout.read(), process.wait())

        Args:
            argv: the command's words; without any, the command of a bare ``rind``.
            encoding: for text files, with newlines translated; None for bytes.
            errors: the error handler of the encoding: "strict", "replace"..., as for :mod:`codecs`.
            limit: the bytes after which an unread PIPE blocks the command.
            options: the other keywords of :meth:`Target.open_process`.

        Raises:
            UsageError: a word of the command cannot be executed.
            ValueError: a stream, ``on_exit`` or the encoding is invalid.
            StartError: the engine would not create or start it.
            EngineError: the engine failed; LeftRunning on leaving: the command could not be ended.
        """
        check_encoding(encoding or UTF_8, errors)
        script = options.get("script")
        argv = words(argv, script)
        args = [*([] if script is None else [script]), *argv]
        opening = cast("Callable[..., Any]", self._inner.open_process)
        context = opening(argv, encoding=encoding, errors=errors, limit=limit, **options)
        inner = self._portal.call(context.__aenter__)
        decoding = None if encoding is None else (encoding, errors)
        return SyncProcess(self._portal, context, inner, args, decoding, limit=limit, owner=self)

    user = blocking(Target.user)
    why_no_leash = blocking(Target.why_no_leash)
    map_path = same(Target.map_path)
    unmap_path = same(Target.unmap_path)
    plan = blocking(Target.plan)
    detach = blocking(Target.detach)
    put = blocking(Target.put)
    get = blocking(Target.get)
    remove = blocking(Target.remove)
    refresh = blocking(Target.refresh)
