"""The multiplexed stream, decoded without I/O.

Without a TTY, the engine sends stdout and stderr over one connection as stdcopy frames
(Engine API, "Attach to a container", stream format):

    byte 0      which stream: 0 stdin (written on stdout), 1 stdout, 2 stderr, 3 system error
    bytes 1-3   zero
    bytes 4-7   payload size in bytes, big-endian uint32
    then        the payload

Payload bytes are returned as they arrive, without waiting for the rest of their frame. Only an
incomplete header is kept, so memory does not grow with the size that a header claims.
"""

from __future__ import annotations

from struct import Struct

from rind.errors import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["STDERR", "STDOUT", "SYSTEM_ERROR", "FrameDecoder"]

STDOUT: Final = 1
STDERR: Final = 2
SYSTEM_ERROR: Final = 3
"""moby's stdcopy.Systemerr: the payload is an error message from the engine."""

_HEADER: Final = Struct(">B3sL")


class FrameDecoder:
    """Splits received bytes into ``(stream, payload)`` pairs.

    Feed it bytes cut anywhere, then call :meth:`close` at end of stream.
    """

    def __init__(self) -> None:
        self._begun = b""  # an incomplete header
        self._stream = STDOUT
        self._left = 0  # payload bytes still to come of the current frame
        self._failure: Broken | None = None

    def feed(self, data: bytes) -> list[tuple[int, memoryview]]:
        """Return every non-empty payload part in ``data``, in order, as a view of it.

        Raises:
            Broken: a header is not stdcopy's. If ``data`` has parts before that header, they are
                returned first, and the next call of this method or :meth:`close` raises.
        """
        self._raise()
        if self._begun:
            data, self._begun = self._begun + data, b""
        parts, view, position, size = [], memoryview(data), 0, len(data)
        while position < size:
            if self._left:
                end = min(position + self._left, size)
                parts.append((self._stream, view[position:end]))
                self._left -= end - position
                position = end
            elif size - position < _HEADER.size:
                self._begun = data[position:]
                break
            else:
                self._open_frame(*_HEADER.unpack_from(data, position))
                position += _HEADER.size
                if self._failure is not None:
                    break
        if not parts:
            self._raise()
        return parts

    @property
    def is_within(self) -> bool:
        """Whether the last part was not the end of its frame: the next part goes on with it."""
        return self._left > 0

    def close(self) -> None:
        """Check that the stream ended between two frames.

        Raises:
            Broken: it ended inside a frame, so output is missing.
        """
        self._raise()
        if self._left or self._begun:
            raise Broken("the engine's stream ended in the middle of a frame: output is missing")

    def _open_frame(self, stream: int, zeros: bytes, size: int) -> None:
        if stream > SYSTEM_ERROR or zeros != b"\0\0\0":
            header = _HEADER.pack(stream, zeros, size).hex()
            self._failure = Broken(
                f"the engine's stream is not made of stdcopy frames: saw the header {header}"
            )
        self._stream = stream or STDOUT
        self._left = size

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
