import asyncio
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import put

from rind.errors import Broken
from rind.execution.outputs import OutputReader, Pipe
from rind.execution.stdin import StdinWriter
from rind.execution.text import Decoder, TextReader, TextWriter, check_encoding

TEXTS = st.lists(st.sampled_from(["a", "ü", "\r", "\n", "\r\n", "€", "line"]), max_size=40).map(
    "".join
)


def reader_of(
    parts: list[bytes], encoding: str = "utf-8", errors: str = "strict", limit: int = 2**16
) -> TextReader:
    reader = OutputReader(limit=2**20)
    for part in parts:
        reader.feed_data(part)
    reader.feed_eof()
    return TextReader(reader, encoding, errors, limit)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(TEXTS, st.integers(1, 7), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_text_is_decoded_as_in_text_files(text: str, size: int, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    decoder = Decoder(encoding)
    seen = "".join(decoder.feed(part) for part in cut(data, size)) + decoder.feed(b"", final=True)
    assert seen == io.TextIOWrapper(io.BytesIO(data), encoding).read()


@given(TEXTS, st.integers(1, 7))
async def test_lines_equal_those_of_a_text_file(text: str, size: int) -> None:
    data = text.encode()
    lines = [line async for line in reader_of(cut(data, size))]
    assert lines == io.TextIOWrapper(io.BytesIO(data), "utf-8").readlines()


async def test_every_method_reads_text() -> None:
    reader = reader_of([b"one\r", b"\ntwo", "öüthree: 3\nrest".encode()])
    assert await reader.read(2) == "on"
    assert await reader.readline() == "e\n"
    assert await reader.readexactly(4) == "twoö"
    assert await reader.readuntil(": ") == "üthree: "
    assert not reader.at_eof()
    assert await reader.read(0) == ""
    assert await reader.read() == "3\nrest"
    assert reader.at_eof()
    assert await reader.read() == await reader.read(5) == await reader.readline() == ""


@pytest.mark.parametrize(
    "read", [lambda reader: reader.readexactly(5), lambda reader: reader.readuntil("!")]
)
async def test_an_early_end_is_an_error(read: Callable[[TextReader], object]) -> None:
    with pytest.raises(EOFError, match=r"ended before .*: 'abc'"):
        await read(reader_of([b"abc"]))  # type: ignore[misc] # either awaits


async def test_a_line_has_a_limit() -> None:
    with pytest.raises(ValueError, match="more than limit=100 characters"):
        await reader_of([b"x" * 201 + b"\n"], limit=100).readline()


async def test_bytes_that_cannot_be_decoded_are_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        await reader_of([b"\xff"]).read()
    assert (
        await reader_of([b"\xff\n"], errors="replace").readline() == "\N{REPLACEMENT CHARACTER}\n"
    )
    with pytest.raises(UnicodeDecodeError):
        await reader_of([b"\xe2\x82"]).read()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "euc-jp"])
async def test_text_before_an_invalid_byte_is_returned(encoding: str) -> None:
    good = "one\ntwo\r\nthr".encode(encoding)
    bad = b"\xff" if encoding != "utf-16" else "\ud800x".encode("utf-16-le", "surrogatepass")
    for size in (1, 2, 100):
        reader = reader_of([*cut(good + bad, size), b"lost"], encoding)
        assert [await reader.readline() for _ in range(2)] == ["one\n", "two\n"]
        assert await reader.readexactly(3) == "thr"
        for _ in range(2):
            with pytest.raises(UnicodeDecodeError):
                await reader.read(1)
        assert isinstance(reader.exception(), UnicodeDecodeError)
        assert not reader.at_eof()


async def test_a_failure_is_raised_after_the_text() -> None:
    pipe = Pipe()
    reader = TextReader(pipe.reader, "utf-8", "strict")
    await put(pipe, b"all that came")
    pipe.close(Broken("cut"))
    assert await reader.read(100) == "all that came"
    with pytest.raises(Broken, match="cut"):
        await reader.read(100)
    assert isinstance(reader.exception(), Broken)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-2022-jp"])
async def test_writes_are_encoded_as_one_text(encoding: str) -> None:
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    stdin = StdinWriter(send, sleep)
    writer = TextWriter(stdin, encoding, "strict")
    writer.write("日")
    writer.writelines(["本", "\n日"])
    writer.close()
    writer.write_eof()
    await stdin.wait_closed()
    assert b"".join(sent) == "日本\n日".encode(encoding)


async def sleep() -> None:
    await asyncio.sleep(0)


async def test_text_is_written() -> None:
    sent = bytearray()
    ended = asyncio.Event()

    async def send(data: bytes) -> None:
        sent.extend(data)

    async def send_eof() -> None:
        ended.set()

    stdin = StdinWriter(send, send_eof)
    writer = TextWriter(stdin, "utf-16-le", "strict")
    writer.write("ö\n")
    writer.writelines(["a", "b\n"])
    await writer.drain()
    assert writer.can_write_eof()
    assert not writer.is_closing()
    writer.write_eof()
    writer.close()
    assert writer.is_closing()
    await writer.wait_closed()
    assert ended.is_set()
    assert sent.decode("utf-16-le") == "ö\nab\n"
    with pytest.raises(UnicodeEncodeError):
        TextWriter(stdin, "ascii", "strict").write("ö")


@pytest.mark.parametrize(
    ("encoding", "errors", "why"),
    [
        ("utf-99", "strict", "encoding 'utf-99'"),
        ("hex", "strict", "encoding 'hex'"),
        ("utf-8", "x", "error handler 'x'"),
    ],
)
def test_unknown_encodings_are_rejected(encoding: str, errors: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"there is no {why}"):
        check_encoding(encoding, errors)
    check_encoding("latin-1", "ignore")
