"""The output of one exec instance as it arrives: bytes in, parts out. Sans I/O.

Goal: everything that is decided about received bytes stands here once. Two pumps feed it: one
without an event loop, for commands that stay simple (:mod:`rind.execution.direct`), and one in an
event loop (:mod:`rind.execution.receiver`), which can take over from the first at any byte.

Plan: :meth:`Incoming.feed` decodes frames, removes Podman's own messages, and maps paths. The parts
wait in :attr:`Incoming.parts` until the pump takes them. Two decisions need the exec instance's
state, which the pumps ask the engine for:

* An engine that cannot start a command writes the reason to the command's output. So no part may be
  taken before the state has shown that the command started (:meth:`Incoming.check_started`).
* The exit status is settled once the state is (:func:`plain_status`), unless there is a doubt.

Doubt: Podman's messages are recognized by their text, so the same text written by a command is
removed too.
"""

from __future__ import annotations

from collections import deque

from rind.base.light import pattern
from rind.decide.start_failure import LONGEST, failure_in_output, is_podman_failure, start_failure
from rind.errors import Broken, ExitStatus, Lost, OutputMissing
from rind.transport.frames import STDERR, STDOUT, SYSTEM_ERROR, FrameDecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from rind.decide.screen_rewriter import ScreenRewriter
    from rind.execution.mapping import Rewriting
    from rind.model import ExecState

    Part = tuple[int, memoryview]
    """STDOUT or STDERR, and some bytes of it."""

__all__ = ["KILLED", "MOST_REASON", "Incoming", "plain_status"]

KILLED: Final = ExitStatus.SIGNALLED + 9

MOST_REASON: Final = 64 * 1024
"""Bytes of an engine's reason for a failed start; usually it is one line."""

_NOISE: Final = pattern(
    rb"Error: (read|write) unixpacket @->[^\n]*/attach: (?:read|write): "
    rb"(?:connection reset by peer|broken pipe)\n"
)
"""The message that Podman adds to stderr when a command ends without having read its stdin. After
"read", output is missing in one case of three; after "write", seldom (4.3 and 5.8)."""

_ERROR: Final = b"Error: "
"""The beginning of that message."""

_MOST_NOISE: Final = 300
"""Bytes: longer parts are not searched for the message."""


class Incoming:
    """The output of one exec instance.

    Args:
        container: the name of its container.
        tty: whether it has a TTY: then the bytes are not framed.
        is_podman: whether the engine is Podman.
        rewriters: map the paths in the output, by stream.
        screen: maps the paths in what is printed on the TTY.

    Attributes:
        parts: those that were not taken yet.
        received: the number of bytes that were fed, frame headers included.
        taken: the number of bytes that were taken.
        last_output: the end of the output on stderr, or on the TTY.
        at_end: whether there is nothing more to feed.
        state: the exec instance's state as of the first output; None before it is known.
    """

    def __init__(
        self,
        container: str,
        *,
        tty: bool,
        is_podman: bool = False,
        rewriters: Mapping[int, Rewriting] | None = None,
        screen: ScreenRewriter | None = None,
    ) -> None:
        self.parts: deque[Part] = deque()
        self.received = 0
        self.taken = 0
        self.last_output = b""
        self.at_end = False
        self.state: ExecState | None = None
        self._container = container
        self._is_podman = is_podman
        self._screen = screen
        self._rewriters = {STDOUT: screen} if screen is not None else rewriters or {}
        self._decoder = None if tty else FrameDecoder()
        self._noise = ""
        self._begun = b""  # the start of a frame that may be Podman's message
        self._failure: Broken | None = None

    def feed(self, data: bytes) -> None:
        """Take in received bytes; ``b""`` is the end.

        A failure of the stream is kept for :meth:`check_end`.
        """
        try:
            self.parts.extend(self._decoded(data))
            if not data:
                self.at_end = True
                self.parts.extend(self._held_back())
        except Broken as exc:
            self.fail(exc)

    def typed(self, keys: bytes | memoryview) -> None:
        """Note what is written to the command's stdin: a TTY echoes it."""
        if self._screen is not None:
            self._screen.typed(bytes(keys))

    def take(self) -> Part:
        """Take the next part.

        Raises:
            Broken: the part is an error message of the engine.
        """
        part = self.parts.popleft()
        self._note(*part)
        return part

    def take_all(self) -> list[Part]:
        """Take all parts, of which there must be one; an error message of the engine ends them.

        Raises:
            Broken: as :meth:`take`, if the first part is one.
        """
        parts = [self.take()]
        while self.parts and self.parts[0][0] != SYSTEM_ERROR:
            parts.append(self.take())
        return parts

    def pass_on(self, data: bytes) -> list[Part]:
        """Take in received bytes, and take their parts at once. Only if no other parts wait.

        Parts from an error message of the engine on wait for :meth:`take_all`.

        Raises:
            Broken: the stream is not what it should be.
        """
        parts = self._decoded(data)
        for number, part in enumerate(parts):
            if part[0] == SYSTEM_ERROR:
                self.parts.extend(parts[number:])
                return parts[:number]
            self._note(*part)
        return parts

    def fail(self, exc: Broken) -> None:
        """End the output with an error. If the connection failed, the command may still run."""
        connection_failed = isinstance(exc.__cause__, OSError)
        self._failure = Lost(str(exc), self._container) if connection_failed else exc
        self.at_end = True

    def check_started(self, state: ExecState) -> None:
        """Check that the parts are the command's. At that time, up to MOST_REASON must be fed.

        Raises:
            StartError: the command never started; the parts are the engine's reason.
        """
        if not state.has_started:
            text = b"".join(part for _, part in self.parts)[:MOST_REASON].decode(errors="replace")
            # None: the state does not show whether it started (Podman), so the text decides.
            if state.has_started is False or is_podman_failure(text):
                raise start_failure(text, self._container)
        self.state = state

    def check_end(self, *, was_reset: bool, has_written: bool) -> None:
        """Check that the output came to its end.

        Args:
            was_reset: whether the engine reset the connection.
            has_written: whether something was sent to the command's stdin.

        Raises:
            Broken: the connection failed, or output is missing.
        """
        if self._failure is not None:
            raise self._failure
        if self._decoder is not None:
            self._decoder.close()
        if self._noise == "read" or (self._noise and not self.taken):
            raise OutputMissing(
                "output may be missing: Podman lost its connection to the command, which has not "
                "read its stdin; run it without stdin (rind -n, or stdin=DEVNULL)"
            )
        if was_reset and not has_written:
            # After a write, a reset is normal: the command left some of its stdin unread.
            raise Lost("the connection to the engine was reset", self._container)

    def _decoded(self, data: bytes) -> list[Part]:
        self.received += len(data)
        if self._decoder is None:
            parts = [(STDOUT, memoryview(data))] if data else []
        else:
            parts = self._decoder.feed(data)
            if self._is_podman:
                parts = self._without_noise(parts, is_cut=self._decoder.is_within)
        return self._rewritten(parts) if self._rewriters else parts

    def _rewritten(self, parts: list[Part]) -> list[Part]:
        """Return parts with their paths mapped."""
        rewritten = [
            (stream, memoryview(self._rewriters[stream].feed(bytes(part))))
            if stream in self._rewriters
            else (stream, part)
            for stream, part in parts
        ]
        return [part for part in rewritten if part[1]]

    def _held_back(self) -> Iterator[Part]:
        """At the end, yield the bytes that were held back as the start of a message or a path."""
        if self._begun:
            yield STDERR, memoryview(self._begun)
        for stream, rewriter in self._rewriters.items():
            if rest := rewriter.close():
                yield stream, memoryview(rest)

    def _without_noise(self, parts: list[Part], *, is_cut: bool) -> list[Part]:
        """Return parts without Podman's messages; the start of one waits for the rest of its frame.

        Args:
            parts: from the decoder.
            is_cut: whether the last part was not the end of its frame.
        """
        kept: list[Part] = []
        for number, (stream, data) in enumerate(parts, 1):
            part, self._begun = memoryview(self._begun + data) if self._begun else data, b""
            may_be_noise = stream == STDERR and len(part) < _MOST_NOISE
            if is_cut and may_be_noise and number == len(parts) and _starts_noise(part):
                self._begun = bytes(part)
            elif not self._is_noise(stream, part):
                kept.append((stream, part))
        return kept

    def _is_noise(self, stream: int, part: memoryview) -> bool:
        """Whether a part is Podman's message about its own connection to the command."""
        noise = _NOISE.fullmatch(part) if stream == STDERR and len(part) < _MOST_NOISE else None
        if noise is not None:
            self._noise = noise[1].decode()
        return noise is not None

    def _note(self, stream: int, part: memoryview) -> None:
        """Count a part that is taken, and keep its last bytes."""
        if stream == SYSTEM_ERROR:
            raise Broken(f"the engine says: {bytes(part[:LONGEST]).decode(errors='replace')}")
        self.taken += len(part)
        if stream == STDERR or self._decoder is None:
            self.last_output = (self.last_output + part[-LONGEST:])[-LONGEST:]


def _starts_noise(part: memoryview) -> bool:
    return bytes(part[: len(_ERROR)]) == _ERROR[: len(part)]


def plain_status(state: ExecState, last_output: bytes, container: str) -> int | None:
    """Return the exit status of a command whose output has ended, if the state settles it.

    Args:
        state: the exec instance's.
        last_output: the end of the command's output, as :class:`Incoming` keeps it.
        container: the name of its container.

    Returns:
        None if the command still runs, or if only more requests can tell how it ended: SIGKILL may
        have killed its whole container, and of a broken stream, the engine reports 126.

    Raises:
        StartError: the command never started.
    """
    if state.running or state.exit_code is None:
        return None
    if state.has_started is False:
        raise start_failure("", container)
    if failure := failure_in_output(last_output, state.exit_code):
        raise failure
    is_doubtful = state.exit_code in {KILLED, ExitStatus.NOT_EXECUTABLE}
    return None if is_doubtful else state.exit_code
