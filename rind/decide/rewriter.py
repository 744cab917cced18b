"""Rewrites the paths of a container in a stream of bytes to this machine's. Sans I/O.

A path is rewritten where one begins (at the start, or after a space, a quote, a bracket, a comma, a
semicolon, ``=``, ``:``, ``|`` or ``file://``), if it is a mount's or goes on below it. No other
byte changes, and how the stream is cut does not matter.
"""

from __future__ import annotations

import re

from rind.decide.path_map import uri_quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.decide.path_map import PathMap

__all__ = ["Rewriter"]

_BEFORE: Final = b" \t\n\r\v\f\0\"'`([{<>=:,;|"
"""What a path may follow."""
_AFTER: Final = frozenset(b"/ \t\n\r\v\f\0\"'`()[]{}<>=:,;|?#\\\x1b")
"""What may follow a mount's own path: it goes on below it, or has ended."""
_URI: Final = b"file://"


class Rewriter:
    """Rewrites one stream.

    Args:
        paths: what to rewrite.
    """

    def __init__(self, paths: PathMap) -> None:
        self._plain: dict[bytes, bytes] = {}
        self._quoted: dict[bytes, bytes] = {}
        for host, container in paths.mounts:
            if container == "/":
                continue  # every path would be one below it
            # Where the host's side is the root, what follows brings its own slash.
            ours = "" if host == "/" else host
            self._plain[_encoded(container)] = _encoded(ours)
            self._quoted[uri_quoted(container).encode()] = uri_quoted(ours).encode()
        known = sorted({*self._plain, *self._quoted}, key=len, reverse=True)
        self._longest = max(map(len, known), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, known))) if known else None
        self._prefixes = {path[:size] for path in known for size in range(1, len(path) + 1)}
        self._context = b""  # the last bytes that were taken, before the held ones
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be said of the stream so far, rewritten; the rest is held back."""
        if self._pattern is None:
            return data
        data = self._held + data
        end = len(data) - self._unclear(data)
        return self._rewritten(data, end)

    def close(self) -> bytes:
        """Return what is held back, which is all that there will be."""
        data, self._held = self._held, b""
        return self._rewritten(data, len(data)) if data else b""

    def _unclear(self, data: bytes) -> int:
        """Return how many of the last bytes may still become a path."""
        for size in range(min(self._longest, len(data)), 0, -1):
            if data[-size:] in self._prefixes and self._begins(data, len(data) - size) is not None:
                return size
        return 0

    def _begins(self, data: bytes, at: int) -> dict[bytes, bytes] | None:
        """Return the paths that may begin at a place; None if none may."""
        before = (self._context + data[max(0, at - len(_URI)) : at])[-len(_URI) :]
        if before == _URI:
            return self._quoted
        if not before or before[-1] in _BEFORE:
            return self._plain
        return None

    def _rewritten(self, data: bytes, end: int) -> bytes:
        """Rewrite what comes before ``end``, and hold the rest."""
        pattern = self._pattern
        assert pattern is not None  # noqa: S101 # nothing is held without one
        done: list[bytes] = []
        at = position = 0
        while (match := pattern.search(data, position)) and (start := match.start()) < end:
            path, other = self._found(data, start)
            if path:
                done += [data[at:start], other]
                at = start + len(path)
                if not other and data[at : at + 1] != b"/":
                    done.append(b"/")  # this machine's root
            position = max(at, start + 1)
        end = max(end, at)  # a path may have in it what another one may follow
        done.append(data[at:end])
        self._context = (self._context + data[:end])[-len(_URI) :]
        self._held = data[end:]
        return b"".join(done)

    def _found(self, data: bytes, start: int) -> tuple[bytes, bytes]:
        """Return the longest path that is at a place, and what it becomes; empty if none is."""
        known = self._begins(data, start) or {}
        for path in sorted(known, key=len, reverse=True):
            after = data[start + len(path) : start + len(path) + 1]
            if data.startswith(path, start) and (not after or after[0] in _AFTER):
                return path, known[path]
        return b"", b""


def _encoded(path: str) -> bytes:
    return path.encode(errors="surrogateescape")
