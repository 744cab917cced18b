"""Rewrites a container's paths in a stream of bytes to this machine's paths. Sans I/O.

Goal: no other byte changes; the chunks in which the stream arrives do not affect the result; and
as few bytes as possible are held back, because a prompt or a progress bar must appear at once.

Plan: one regular expression finds all mounted paths. A path begins at the start of the stream, or
after a space, a quote, a bracket, a comma, a semicolon, ``=``, ``:``, ``|`` or ``file://``. It is
a mount's own path, or a path below one. After each chunk,

* the longest suffix that may still become a mount's path is held back: ``/ap`` may become
  ``/app``, and ``/app`` may become ``/apple``, which is another path;
* all bytes before it are rewritten and returned;
* the last of these bytes are remembered, because the next chunk may have a path right after them.

Doubts: a path right after an escape sequence, such as a colour, is not recognized; nor is one
whose slashes a tool has escaped with backslashes.
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
"""Bytes that may precede a path."""
_AFTER: Final = b"/ \t\n\r\v\f\0\"'`()[]{}<>=:,;|?#\\\x1b"
"""Bytes that may follow a mount's own path: a slash continues it, any other byte ends it."""
_URI: Final = b"file://"


class Rewriter:
    """Rewrites one stream.

    Args:
        paths: the mounts whose paths to rewrite.
    """

    def __init__(self, paths: PathMap) -> None:
        self._plain: dict[bytes, bytes] = {}
        self._quoted: dict[bytes, bytes] = {}
        for host, container in paths.mounts:
            if container == "/":
                continue  # every path in the output would be rewritten
            # If the host's side is the root, the rest of the path has the only slash.
            ours = "" if host == "/" else host
            self._plain[_encoded(container)] = _encoded(ours)
            self._quoted[uri_quoted(container).encode()] = uri_quoted(ours).encode()
        known = sorted({*self._plain, *self._quoted}, key=len, reverse=True)
        self._longest = max(map(len, known), default=0)
        self._pattern = re.compile(b"|".join(map(self._alternative, known))) if known else None
        self._prefixes = {path[:size] for path in known for size in range(1, len(path) + 1)}
        others = {*self._plain.values(), *self._quoted.values()}
        # A constant is three times as fast as a function. It must suit every match, and re.sub
        # must not interpret it: a backslash would be an escape.
        is_constant = len(others) == 1 and not others & {b""} and b"\\" not in min(others)
        self._replacement = others.pop() if is_constant else self._replaced
        self._context = b""  # stands for the bytes before the held ones
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the stream up to its undecided suffix, rewritten, and hold back the suffix."""
        if self._pattern is None:
            return data
        data = self._context + self._held + data
        start = end = len(data) - self._undecided(data)
        # A mount such as /a:/b has in it a byte that a path may follow: if the suffix begins within
        # a match, the match is not undecided.
        for match in self._pattern.finditer(data, max(0, start - self._longest)):
            if match.start() < start:
                end = max(end, match.end())
        return self._rewritten(data, end)

    def close(self) -> bytes:
        """Return the bytes that are held back, rewritten: the stream has ended."""
        data = self._context + self._held
        return self._rewritten(data, len(data)) if self._held else b""

    def _alternative(self, path: bytes) -> bytes:
        """Return a pattern that matches a mount's path where a path may begin and end.

        The lookbehinds follow the path, and so contain it: ``re`` searches fast for a pattern that
        begins with literal text.
        """
        text, after = re.escape(path), re.escape(_AFTER)
        begins = []
        if path in self._plain:
            begins.append(b"(?<![^%b]%b)" % (re.escape(_BEFORE), text))
        if path in self._quoted:
            begins.append(b"(?<=%b%b)" % (_URI, text))
        return b"%b(?:%b)(?=[%b]|\\Z)" % (text, b"|".join(begins), after)

    def _undecided(self, data: bytes) -> int:
        """Return the length of the longest suffix that may still become a mount's path."""
        for size in range(min(self._longest, len(data)), 0, -1):
            if data[-size:] in self._prefixes:
                before = data[:-size][-len(_URI) :]
                if before == _URI or before[-1:] in _BEFORE:
                    return size
        return 0

    def _rewritten(self, data: bytes, end: int) -> bytes:
        """Return the data between the context and ``end``, rewritten; hold back the rest.

        The pattern sees nothing after ``end``, so a path may match that ends there. That is right:
        the bytes that are held back begin with a slash, which may follow a path.
        """
        assert self._pattern is not None  # noqa: S101 # no bytes are held without one
        known = len(self._context)
        # The context has the same length after the substitution: no path begins in it.
        done = self._pattern.sub(self._replacement, data[:end])[known:]
        self._held = data[end:]
        if end:
            self._context = _short_context(data[max(0, end - len(_URI)) : end])
        return done

    def _replaced(self, match: re.Match[bytes]) -> bytes:
        """Return this machine's path for a matched one."""
        start = match.start()
        is_uri = match.string[max(0, start - len(_URI)) : start] == _URI
        ours = (self._quoted if is_uri else self._plain)[match[0]]
        if not ours and match.string[match.end() : match.end() + 1] != b"/":
            return b"/"  # this machine's root
        return ours


def _short_context(last: bytes) -> bytes:
    """Return the few bytes that stand for the stream so far, which ends with ``last``.

    They are its end as far as it may be a part of ``file://``, but at least one byte. The ``x``
    before them shows the pattern that they are not the start of the stream. No path begins in them.
    """
    sizes = (size for size in range(len(_URI), 0, -1) if last.endswith(_URI[:size]))
    return b"x" + last[-next(sizes, 1) :]


def _encoded(path: str) -> bytes:
    return path.encode(errors="surrogateescape")
