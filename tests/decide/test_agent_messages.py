"""Frames and messages, cut anywhere."""

import struct

import pytest

from rind.decide.agent_messages import (
    LONGEST_MESSAGE,
    BrokenStream,
    Frames,
    Requests,
    body_size,
    frames_of,
    is_allowed,
)


def request(kind: int, contents: bytes = b"") -> bytes:
    return struct.pack(">LB", 1 + len(contents), kind) + contents


def extension(name: bytes) -> bytes:
    return request(27, struct.pack(">L", len(name)) + name + b"rest")


@pytest.mark.parametrize("size", [1, 2, 100, 1_000_000])
def test_frames_and_requests_are_found_wherever_they_are_cut(size: int) -> None:
    asked = [request(11), request(13, b"x" * 70_000), request(0)]
    sent = frames_of(15, b"".join(asked)) + frames_of(0, b"") + frames_of(15, b"")
    frames, requests = Frames(), Requests()
    found = [
        frame
        for start in range(0, len(sent), size)
        for frame in frames.feed(sent[start : start + size])
    ]
    assert [number for number, data in found if not data] == [0, 15]
    assert [one for _, data in found for one in requests.feed(data)] == asked


def test_a_wrong_number_and_a_message_that_is_too_long_are_errors() -> None:
    with pytest.raises(BrokenStream, match="connection 16"):
        Frames().feed(frames_of(0, b"x") + b"\x10\0\0")
    assert body_size(struct.pack(">L", LONGEST_MESSAGE)) == LONGEST_MESSAGE
    with pytest.raises(BrokenStream, match="262145 bytes"):
        Requests().feed(struct.pack(">L", LONGEST_MESSAGE + 1))


def test_a_container_may_list_and_use_keys_and_nothing_else() -> None:
    allowed = [kind for kind in range(256) if is_allowed(request(kind, b"contents"))]
    assert allowed == [11, 13]
    assert is_allowed(extension(b"session-bind@openssh.com"))
    assert not is_allowed(extension(b"session-bind@openssh.com2"))
    assert not is_allowed(extension(b"query"))
    assert not is_allowed(struct.pack(">L", 0))
