"""Rewrites a container's paths in a program's output on a terminal. Sans I/O.

Goal: a linter or a test runner keeps its colours, and its paths become this machine's. No byte of a
program that draws a screen, or reads keys, changes.

Plan: escape sequences are passed on unchanged, and the text between them is rewritten like plain
output (:mod:`rind.decide.rewriter`). The target of a link (OSC 8) is rewritten too.

* Rewriting ends for good at the first sequence that a program which only prints does not send: the
  alternate screen, an absolute cursor position, bracketed paste, a query. It also ends when a key
  is typed: the terminal echoes it, and the user types the container's paths. Ctrl-C does not count.
* An incomplete escape sequence is held back; a terminal would not show it yet either.

Doubts: raw mode is not visible in the output. A program that sets it, and sends none of these
sequences before the first key, has its first output rewritten. A highlighted ``/app`` within
``/apple`` is taken for a path, because a colour code follows it.
"""

from __future__ import annotations

import re

from rind.decide.rewriter import Rewriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.decide.path_map import PathMap

__all__ = ["ScreenRewriter"]

_ESC: Final = b"\x1b"
_LONGEST: Final = 4096
"""The most bytes of an incomplete escape sequence; URIs have about 2000 at most."""

# ECMA-48, 5.3 to 5.6: control sequences, and control strings, which BEL may end too (xterm).
_SEQUENCE: Final = re.compile(
    rb"\x1b(?:\[(?P<csi>[0-?]*[ -/]*[@-~])|\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|[ -/]+[0-~])"
)
_BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_PRINTING: Final = re.compile(rb"[0-9;:]*m|[0-2]?K|0?J|[0-9]*[A-G]|\?25[hl]")
"""Control sequences of programs that only print: colours, erasing to the right or below, relative
moves as progress bars make them, and the cursor shown or hidden."""

_LINK: Final = re.compile(rb"(8;[^;]*;)(file://)([^/]*)(/.*)", re.DOTALL)
_NO_KEYS: Final = re.compile(rb"[\x03\x1a\x1c]*")
"""Keys that do not count as typing: Ctrl-C, Ctrl-Z and Ctrl-backslash."""


class ScreenRewriter:
    """Rewrites one program's output on its terminal.

    Args:
        paths: the mounts whose paths to rewrite.
    """

    def __init__(self, paths: PathMap) -> None:
        self._paths = paths
        self._text = Rewriter(paths)
        self._held = b""
        self._is_off = False

    def feed(self, data: bytes) -> bytes:
        """Return the rewritten output, except an undecided end, which is held back."""
        if self._is_off:
            return self.close() + data
        data, self._held = self._held + data, b""
        done, at = [], 0
        while (begin := data.find(_ESC, at)) >= 0:
            done += [self._text.feed(data[at:begin]), self._text.close()]
            match = _SEQUENCE.match(data, begin)
            if match is None and _BEGUN.match(data, begin) and len(data) - begin < _LONGEST:
                self._held = data[begin:]
                return b"".join(done)
            sequence = None if match is None else self._passed(match)
            if match is None or sequence is None:
                self._is_off = True
                return b"".join([*done, data[begin:]])
            done.append(sequence)
            at = match.end()
        return b"".join([*done, self._text.feed(data[at:])])

    def close(self) -> bytes:
        """Return the held-back bytes: the output has ended, or is no longer rewritten."""
        held, self._held = self._held, b""
        return self._text.close() + held

    def typed(self, keys: bytes) -> None:
        """Note keys that the user has typed; most of them end the rewriting."""
        if not _NO_KEYS.fullmatch(keys):
            self._is_off = True

    def _passed(self, match: re.Match[bytes]) -> bytes | None:
        """Return a sequence of a program that only prints; None for any other."""
        if match["csi"] is not None:
            return match[0] if _PRINTING.fullmatch(match["csi"]) else None
        link = _LINK.fullmatch(match["osc"] or b"")
        if link is None:
            return match[0]
        # A tool names its host, which is the container: the file is on this machine.
        uri = (link[2] + link[4]).decode(errors="surrogateescape")
        ours = self._paths.uri_to_host(uri)
        if ours == uri:
            return match[0]
        body = link[1] + ours.encode(errors="surrogateescape")
        return b"\x1b]" + body + match[0][match.end("osc") - match.start() :]
