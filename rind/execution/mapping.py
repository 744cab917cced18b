"""What maps the paths in a command's streams: as plain bytes, or as messages of a protocol."""

from __future__ import annotations

from contextlib import contextmanager

from rind.engine.frames import STDERR, STDOUT
from rind.errors import Broken, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from rind.errors import RindError
    from rind.model import ExecConfig

    class Rewriting(Protocol):
        """Rewrites one stream."""

        def feed(self, data: bytes) -> bytes:
            """Return what can be said of the stream so far, rewritten.

            Raises:
                RindError: the stream is not what it should be.
            """

        def close(self) -> bytes:
            """Return what is left, at the end.

            Raises:
                RindError: as :meth:`feed`.
            """


__all__ = ["Rewriting", "inward", "outward"]


def outward(config: ExecConfig) -> dict[int, Rewriting]:
    """Return what rewrites a command's output, by stream; none if nothing is mapped."""
    if not config.mapped:
        return {}
    from rind.decide.path_map import PathMap  # noqa: PLC0415 # rarely needed
    from rind.decide.rewriter import Rewriter  # noqa: PLC0415 # as above

    paths = PathMap(config.mapped)
    if not config.is_lsp:
        return {stream: Rewriter(paths) for stream in (STDOUT, STDERR)}
    from rind.decide.lsp import MessageStream  # noqa: PLC0415 # as above

    said = MessageStream(paths, outward=True)
    return {STDOUT: _Checked(said, "the server's output", Broken), STDERR: Rewriter(paths)}


def inward(config: ExecConfig) -> Rewriting | None:
    """Return what rewrites a command's stdin; None for nothing."""
    if not config.is_lsp:
        return None
    from rind.decide.lsp import MessageStream  # noqa: PLC0415 # rarely needed
    from rind.decide.path_map import PathMap  # noqa: PLC0415 # as above

    told = MessageStream(PathMap(config.mapped), outward=False)
    return _Checked(told, "the client's input", UsageError)


class _Checked:
    """Rewrites, and says whose stream is broken."""

    def __init__(self, stream: Rewriting, whose: str, kind: type[RindError]) -> None:
        self._stream = stream
        self._whose = whose
        self._kind = kind

    def feed(self, data: bytes) -> bytes:
        with self._errors():
            return self._stream.feed(data)

    def close(self) -> bytes:
        with self._errors():
            return self._stream.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ValueError as exc:
            said = f"{self._whose} is not the language server protocol: {exc}"
            raise self._kind(said) from exc
