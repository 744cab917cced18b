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
_AFTER: Final = b"/ \t\n\r\v\f\0\"'`()[]{}<>=:,;|?#\\\x1b"
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
        self._pattern = re.compile(b"|".join(map(self._alternative, known))) if known else None
        self._prefixes = {path[:size] for path in known for size in range(1, len(path) + 1)}
        others = {*self._plain.values(), *self._quoted.values()}
        # Three times as fast, where it says the same.
        is_simple = len(others) == 1 and not others & {b""} and b"\\" not in min(others)
        self._replacement = others.pop() if is_simple else self._other
        self._context = b""  # stands for what was taken
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be said of the stream so far, rewritten; the rest is held back."""
        if self._pattern is None:
            return data
        data = self._context + self._held + data
        start = end = len(data) - self._unclear(data)
        # A path may have in it what another one may follow.
        for match in self._pattern.finditer(data, max(0, start - self._longest)):
            if match.start() < start:
                end = max(end, match.end())
        return self._rewritten(data, end)

    def close(self) -> bytes:
        """Return what is held back, which is all that there will be."""
        data = self._context + self._held
        return self._rewritten(data, len(data)) if self._held else b""

    def _alternative(self, path: bytes) -> bytes:
        """Return the pattern of a path where one begins.

        The path comes first: the expression's search is quick where it begins with plain text.
        """
        text, after = re.escape(path), re.escape(_AFTER)
        begins = []
        if path in self._plain:
            begins.append(b"(?<![^%b]%b)" % (re.escape(_BEFORE), text))
        if path in self._quoted:
            begins.append(b"(?<=%b%b)" % (_URI, text))
        return b"%b(?:%b)(?=[%b]|\\Z)" % (text, b"|".join(begins), after)

    def _unclear(self, data: bytes) -> int:
        """Return how many of the last bytes may still become a path."""
        for size in range(min(self._longest, len(data)), 0, -1):
            if data[-size:] in self._prefixes:
                before = data[:-size][-len(_URI) :]
                if before == _URI or before[-1:] in _BEFORE:
                    return size
        return 0

    def _rewritten(self, data: bytes, end: int) -> bytes:
        """Rewrite what comes before ``end``, and hold the rest; what was said before is left out.

        That the pattern does not see what comes after is right: a path that ends there is one, for
        what is held back begins with a slash.
        """
        assert self._pattern is not None  # noqa: S101 # nothing is held without one
        known = len(self._context)
        done = self._pattern.sub(self._replacement, data[:end])[known:]
        self._held = data[end:]
        if end:
            self._context = _context(data[max(0, end - len(_URI)) : end])
        return done

    def _other(self, match: re.Match[bytes]) -> bytes:
        """Return what a path becomes."""
        start = match.start()
        is_uri = match.string[max(0, start - len(_URI)) : start] == _URI
        other = (self._quoted if is_uri else self._plain)[match[0]]
        if not other and match.string[match.end() : match.end() + 1] != b"/":
            return b"/"  # this machine's root
        return other


def _context(last: bytes) -> bytes:
    """Return what stands for all that came before, of which these bytes are the last.

    No path begins in it; the byte before the last ones is there to say that they are not the first.
    """
    sizes = (size for size in range(len(_URI), 0, -1) if last.endswith(_URI[:size]))
    return b"x" + last[-next(sizes, 1) :]


def _encoded(path: str) -> bytes:
    return path.encode(errors="surrogateescape")
