"""The multiplexed stream, decoded without I/O.

Without a TTY, the engine sends stdout and stderr over one connection as stdcopy frames
(Engine API, "Attach to a container", stream format):

    byte 0      which stream: 0 stdin (written on stdout), 1 stdout, 2 stderr, 3 system error
    bytes 1-3   zero
    bytes 4-7   payload size in bytes, big-endian uint32
    then        the payload

A payload is handed on as it arrives, whatever part of its frame that is: nothing but an
incomplete header is ever held, so memory does not grow with the size a header claims.
"""

from __future__ import annotations

from rind.errors import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["STDERR", "STDOUT", "SYSTEM_ERROR", "FrameDecoder"]

STDOUT: Final = 1
STDERR: Final = 2
SYSTEM_ERROR: Final = 3
"""moby's stdcopy.Systemerr: the payload is an error message of the engine's."""

_HEADER_SIZE: Final = 8


class FrameDecoder:
    """Splits received bytes into ``(stream, payload)`` pairs.

    Feed it bytes cut anywhere, then call :meth:`close` at end of stream.
    """

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = STDOUT
        self._left = 0  # payload bytes still to come of the current frame

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every non-empty payload part in ``data``, in order.

        Raises:
            Broken: a header is not one of stdcopy's.
        """
        position = 0
        while position < len(data):
            if self._left == 0:
                wanted = _HEADER_SIZE - len(self._header)
                self._header += data[position : position + wanted]
                position += wanted
                if len(self._header) == _HEADER_SIZE:
                    self._open_frame()
                continue
            payload = data[position : position + self._left]
            position += len(payload)
            self._left -= len(payload)
            yield self._stream, payload

    def close(self) -> None:
        """Check that the stream has ended between two frames.

        Raises:
            Broken: it ended inside a frame, so output is missing.
        """
        if self._left or self._header:
            raise Broken("the engine's stream ended in the middle of a frame: output is missing")

    def _open_frame(self) -> None:
        header = bytes(self._header)
        self._header.clear()
        if header[0] > SYSTEM_ERROR or header[1:4] != b"\0\0\0":
            raise Broken(
                f"the engine's stream is not made of stdcopy frames: saw the header {header.hex()}"
            )
        self._stream = header[0] or STDOUT
        self._left = int.from_bytes(header[4:], "big")
