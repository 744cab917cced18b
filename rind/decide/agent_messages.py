"""The messages of an ssh agent, and the frames that carry them into a container. Sans I/O.

A message is its length (4 bytes, big-endian), a byte for its type, and the contents; the agent
answers each request with one message (draft-miller-ssh-agent, 3 and 4). Between Rind and its script
in the container (:mod:`rind.execution.agent_scripts`), several connections share one stream, so
their bytes travel in frames:

    byte 0      the number of the connection, 0 to 15
    bytes 1-2   payload size in bytes, big-endian uint16
    then        the payload

An empty payload says that this side has closed the connection. Each side says so once for each
connection, and a number is free for another one when both have.

What arrives from a container is not trusted. So only the requests that list and use keys are for
the agent: a container may neither add nor remove keys, nor lock the agent, nor have it load a
module (CVE-2023-38408).
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "LONGEST_MESSAGE",
    "MOST_CONNECTIONS",
    "REFUSED",
    "BrokenStream",
    "Frames",
    "Requests",
    "body_size",
    "frames_of",
    "is_allowed",
]

MOST_CONNECTIONS: Final = 16
"""Connections at the same time; git and ssh use one each."""

LONGEST_MESSAGE: Final = 256 * 1024
"""Bytes without the length: OpenSSH's AGENT_MAX_LEN."""

_HEADER: Final = Struct(">BH")
_LENGTH: Final = Struct(">L")
_LARGEST_PAYLOAD: Final = 65535

_REQUEST_IDENTITIES: Final = 11
_SIGN_REQUEST: Final = 13
_EXTENSION: Final = 27
_SESSION_BIND: Final = b"session-bind@openssh.com"
"""The extension by which ssh names the server, for keys that are only for some servers
(OpenSSH, PROTOCOL.agent)."""

REFUSED: Final = b"\0\0\0\1\5"
"""The answer SSH_AGENT_FAILURE."""


class BrokenStream(ValueError):
    """The stream does not consist of frames, or of messages; the error says why."""


class Frames:
    """Splits a stream into the frames of its connections."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the number and the payload of each frame that is now complete.

        Raises:
            BrokenStream: a frame has a number that no connection can have.
        """
        self._buffer += data
        found: list[tuple[int, bytes]] = []
        while len(self._buffer) >= _HEADER.size:
            number, size = _HEADER.unpack_from(self._buffer)
            if number >= MOST_CONNECTIONS:
                raise BrokenStream(f"a frame is of connection {number}")
            end = _HEADER.size + size
            if len(self._buffer) < end:
                break
            found.append((number, bytes(self._buffer[_HEADER.size : end])))
            del self._buffer[:end]
        return found


def frames_of(number: int, data: bytes) -> bytes:
    r"""Return the frames of a connection's ``data``; if that is empty, the frame that closes it.

    >>> frames_of(2, b"xyz")
    b'\x02\x00\x03xyz'
    """
    starts = range(0, len(data), _LARGEST_PAYLOAD)
    payloads = [data[start : start + _LARGEST_PAYLOAD] for start in starts] or [b""]
    return b"".join(_HEADER.pack(number, len(payload)) + payload for payload in payloads)


class Requests:
    """Splits a connection's bytes into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return each request that is now complete, with its length.

        Raises:
            BrokenStream: a request is too long.
        """
        self._buffer += data
        found: list[bytes] = []
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + body_size(self._buffer)
            if len(self._buffer) < end:
                break
            found.append(bytes(self._buffer[:end]))
            del self._buffer[:end]
        return found


def body_size(message: bytes | bytearray) -> int:
    """Return the size of a message without its length, which ``message`` begins with.

    Raises:
        BrokenStream: it is too long.
    """
    size: int = _LENGTH.unpack_from(message)[0]
    if size > LONGEST_MESSAGE:
        raise BrokenStream(f"a message has {size} bytes")
    return size


def is_allowed(request: bytes) -> bool:
    """Whether a request of a container's may reach the agent."""
    kind, contents = request[_LENGTH.size : _LENGTH.size + 1], request[_LENGTH.size + 1 :]
    if kind == bytes([_EXTENSION]):
        return contents.startswith(_LENGTH.pack(len(_SESSION_BIND)) + _SESSION_BIND)
    return kind in {bytes([_REQUEST_IDENTITIES]), bytes([_SIGN_REQUEST])}
