import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.errors import Broken
from rind.transport.frames import STDERR, STDOUT, SYSTEM_ERROR, FrameDecoder

Parts = list[tuple[int, bytes]]


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def joined(parts: Parts) -> Parts:
    """Return each stream's bytes, joined, in order."""
    whole: Parts = []
    for stream, payload in parts:
        if whole and whole[-1][0] == stream:
            whole[-1] = (stream, whole[-1][1] + payload)
        else:
            whole.append((stream, payload))
    return whole


def fed(decoder: FrameDecoder, data: bytes) -> Parts:
    return [(stream, bytes(payload)) for stream, payload in decoder.feed(data)]


frames = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=60)))


@given(sent=frames, data=st.data())
def test_frames_cut_anywhere_are_put_together(sent: Parts, data: st.DataObject) -> None:
    wire = b"".join(frame(*part) for part in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    decoder = FrameDecoder()
    received: Parts = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        received += fed(decoder, wire[start:end])
    decoder.close()
    assert joined(received) == joined([part for part in sent if part[1]])
    assert all(payload for _, payload in received)


def test_frames_may_be_cut_at_every_offset() -> None:
    wire = frame(STDOUT, b"one") + frame(STDERR, b"") + frame(STDERR, bytes(range(256)))
    for cut in range(len(wire) + 1):
        decoder = FrameDecoder()
        received = [*fed(decoder, wire[:cut]), *fed(decoder, wire[cut:])]
        assert joined(received) == [(STDOUT, b"one"), (STDERR, bytes(range(256)))]


def test_an_empty_frame_yields_nothing() -> None:
    decoder = FrameDecoder()
    assert fed(decoder, frame(STDOUT, b"") * 3) == []
    decoder.close()


def test_stream_0_is_written_on_stdout() -> None:
    assert fed(FrameDecoder(), frame(0, b"x")) == [(STDOUT, b"x")]


def test_the_system_error_stream_is_distinguished() -> None:
    assert fed(FrameDecoder(), frame(SYSTEM_ERROR, b"x")) == [(SYSTEM_ERROR, b"x")]


@pytest.mark.parametrize(
    "header", [b"\x04\0\0\0\0\0\0\1", b"\x01\0\0\1\0\0\0\1", b"HTTP/1.1", b"\xff" * 8]
)
def test_a_garbage_header_is_an_error(header: bytes) -> None:
    with pytest.raises(Broken, match=f"not made of stdcopy frames: saw the header {header.hex()}"):
        fed(FrameDecoder(), header)


def test_a_huge_frame_is_handed_on_in_parts() -> None:
    decoder = FrameDecoder()
    assert fed(decoder, b"\x01\0\0\0\xff\xff\xff\xff") == []
    for _ in range(3):
        assert fed(decoder, b"part") == [(STDOUT, b"part")]


@pytest.mark.parametrize("cut", [1, 7, 8, 10])
def test_an_end_inside_a_frame_is_an_error(cut: int) -> None:
    decoder = FrameDecoder()
    fed(decoder, frame(STDOUT, b"abc")[:cut])
    with pytest.raises(Broken, match="middle of a frame"):
        decoder.close()


def test_data_before_garbage_is_handed_on() -> None:
    decoder = FrameDecoder()
    assert fed(decoder, frame(STDERR, b"x") + b"\xff" * 8) == [(STDERR, b"x")]
    for again in (lambda: fed(decoder, b""), decoder.close):
        with pytest.raises(Broken, match="not made of stdcopy frames"):
            again()
