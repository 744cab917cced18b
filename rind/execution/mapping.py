"""Rewriters that map the paths in a command's streams: in plain bytes, or in protocol messages."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

from rind.errors import Broken, UsageError
from rind.model import Mount
from rind.transport.frames import STDERR, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from rind.decide.screen_rewriter import ScreenRewriter
    from rind.model import ExecConfig, MessageProtocol

    class Rewriting(Protocol):
        """Rewrites one stream."""

        def feed(self, data: bytes) -> bytes:
            """Rewrite the next bytes of the stream; return all that are complete.

            Raises:
                RindError: the stream does not follow its protocol.
            """

        def close(self) -> bytes:
            """End the stream; return the bytes that were held back.

            Raises:
                RindError: as :meth:`feed`.
            """


__all__ = ["Rewriting", "explained", "inward", "on_screen", "outward"]

_NAMES = {"lsp": "the language server protocol", "dap": "the debug adapter protocol"}


def outward(config: ExecConfig) -> dict[int, Rewriting]:
    """Return the rewriters of a command's output without a TTY, by stream; empty to map nothing."""
    if config.tty or not config.mapped:
        return {}
    from rind.decide.path_map import PathMap
    from rind.decide.rewriter import Rewriter

    plain = PathMap(config.mapped)
    if config.library:
        return {STDERR: Rewriter(plain)}
    if config.protocol:
        return {STDOUT: _Messages(config, outward=True), STDERR: Rewriter(plain)}
    return {stream: Rewriter(plain) for stream in (STDOUT, STDERR)}


def on_screen(config: ExecConfig) -> ScreenRewriter | None:
    """Return the rewriter of what a command prints on its TTY; None to map nothing."""
    if not (config.tty and config.mapped):
        return None
    from rind.decide.path_map import PathMap
    from rind.decide.screen_rewriter import ScreenRewriter

    return ScreenRewriter(PathMap(config.mapped))


def inward(config: ExecConfig) -> Rewriting | None:
    """Return the rewriter of a command's stdin; None if it is not rewritten."""
    return _Messages(config, outward=False) if config.protocol else None


class _Messages:
    """Rewrites protocol messages. An error names the stream that violates the protocol."""

    def __init__(self, config: ExecConfig, *, outward: bool) -> None:
        from rind.decide.messages import MessageStream
        from rind.decide.path_map import PathMap

        mounts = [*config.mapped, Mount(config.library, "/")] if config.library else config.mapped
        self._stream = MessageStream(PathMap(mounts), config.protocol, outward=outward)
        self._errors = partial(explained, config.protocol, outward=outward)

    def feed(self, data: bytes) -> bytes:
        with self._errors():
            return self._stream.feed(data)

    def close(self) -> bytes:
        with self._errors():
            return self._stream.close()


@contextmanager
def explained(protocol: MessageProtocol, *, outward: bool) -> Iterator[None]:
    """Translate a broken message: the server's is Broken, the client's a UsageError."""
    try:
        yield
    except ValueError as exc:
        whose = "the server's output" if outward else "the client's input"
        error = Broken if outward else UsageError
        raise error(f"{whose} is not {_NAMES[protocol]}: {exc}") from exc
