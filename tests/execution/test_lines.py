import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import put

from rind.errors import Broken
from rind.execution.lines import Lines
from rind.execution.outputs import Discard, Output, Pipe

PARTS = st.lists(
    st.tuples(st.booleans(), st.lists(st.sampled_from([b"a", b"\n", b"long line"])).map(b"".join)),
    max_size=20,
)


def joined(
    limit: int = 2**16, decoding: tuple[str, str] | None = None
) -> tuple[Lines, Output, Output]:
    lines = Lines(decoding, limit)
    out, err = (lines.joined(Pipe(), stream, has_ended=False) for stream in ("stdout", "stderr"))
    return lines, out, err


@given(PARTS)
async def test_lines_are_whole_and_in_order(parts: list[tuple[bool, bytes]]) -> None:
    lines, *outputs = joined()
    for is_err, data in parts:
        await put(outputs[is_err], data)
    for output in outputs:
        output.close(None)
    seen = [line async for line in lines]
    for number, name in enumerate(("stdout", "stderr")):
        whole = b"".join(data for is_err, data in parts if is_err == bool(number))
        assert [line for stream, line in seen if stream == name] == whole.splitlines(keepends=True)


async def test_each_line_is_returned_once_complete() -> None:
    lines, out, err = joined(decoding=("utf-8", "strict"))
    next_line = asyncio.ensure_future(anext(lines))
    await put(out, b"a\xc3")
    await put(err, b"e\r")
    await asyncio.sleep(0)
    assert not next_line.done()
    await put(out, b"\xbc\n")
    assert await next_line == ("stdout", "aü\n")
    err.close(None)
    assert await anext(lines) == ("stderr", "e\n")
    out.close(Broken("cut"))
    with pytest.raises(Broken, match="cut"):
        await anext(lines)


async def test_valid_lines_precede_the_error() -> None:
    lines, out, err = joined(decoding=("utf-8", "strict"))
    await put(err, b"e\n")
    with pytest.raises(UnicodeDecodeError):
        await put(out, b"a\nb\n\xff\nc\n")
    assert [await anext(lines) for _ in range(3)] == [
        *(("stderr", "e\n"), ("stdout", "a\n"), ("stdout", "b\n"))
    ]
    for _ in range(2):
        with pytest.raises(UnicodeDecodeError):
            await anext(lines)
    with pytest.raises(UnicodeDecodeError):
        await put(out, b"d\n")


async def test_buffered_bytes_may_be_invalid() -> None:
    pipe = Pipe()
    await put(pipe, b"a\n\xff\n")
    lines = Lines(("utf-8", "strict"), 2**16)
    lines.joined(pipe, "stdout", has_ended=False)
    assert await anext(lines) == ("stdout", "a\n")
    with pytest.raises(UnicodeDecodeError):
        await anext(lines)


async def test_a_writer_waits_for_the_reader() -> None:
    lines, out, _ = joined(limit=10)
    writing = asyncio.ensure_future(put(out, b"12345\n12345\n"))
    await asyncio.sleep(0)
    assert lines.full.is_set()
    assert not writing.done()
    assert await anext(lines) == ("stdout", b"12345\n")
    await writing
    assert not lines.full.is_set()


async def test_a_line_beyond_the_limit_is_returned_in_parts() -> None:
    lines, out, err = joined(limit=10)
    err.close(None)
    writing = asyncio.ensure_future(put(out, b"x" * 15))
    assert await anext(lines) == ("stdout", b"x" * 15)
    await writing
    await put(out, b"yy\n")
    assert await anext(lines) == ("stdout", b"yy\n")


@pytest.mark.parametrize("failure", [None, Broken("cut")])
async def test_lines_before_a_failure_are_returned(failure: Any) -> None:
    pipe = Pipe()
    await put(pipe, b"one\ntw")
    lines = Lines(None, 100)
    out = lines.joined(pipe, "stdout", has_ended=False)
    await put(out, b"o\n")
    out.close(failure)
    assert [await anext(lines), await anext(lines)] == [("stdout", b"one\n"), ("stdout", b"two\n")]

    pipe = Pipe()
    await put(pipe, b"all\n")
    pipe.close(failure)
    lines = Lines(None, 100)
    lines.joined(pipe, "stdout", has_ended=True)
    assert await anext(lines) == ("stdout", b"all\n")
    with pytest.raises(Broken if failure else StopAsyncIteration):
        await anext(lines)


async def test_invalid_text_in_lines_is_an_error() -> None:
    lines, out, err = joined(decoding=("utf-8", "strict"))
    err.close(None)
    await put(out, b"a\n\xc3")
    out.close(None)
    assert await anext(lines) == ("stdout", "a\n")
    with pytest.raises(UnicodeDecodeError):
        await anext(lines)


def test_streams_that_are_not_pipes_are_unchanged() -> None:
    discard = Discard()
    assert Lines(None, 1).joined(discard, "stdout", has_ended=False) is discard
