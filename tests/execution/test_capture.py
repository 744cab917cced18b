from typing import Any

import pytest

from rind.errors import CommandFailed, TooMuchOutput
from rind.execution.capture import Capture, encoded


def capture(**options: Any) -> Capture:
    streams = options.pop("streams", {"stdout", "stderr"})
    defaults = {"encoding": None, "errors": "strict", "limit": None, "on_output": None}
    return Capture(["cmd"], "box", streams, **{**defaults, **options})


def test_bytes_and_text_are_captured() -> None:
    for encoding, out, err in ((None, b"\xc3\xbc\r\n", b"e"), ("utf-8", "ü\n", "e")):
        seen = capture(encoding=encoding)
        seen.take("stdout", b"\xc3")
        seen.take("stdout", b"\xbc\r\n")
        seen.take("stderr", b"e")
        done = seen.completed(0, check=True)
        assert (done.stdout, done.stderr) == (out, err)
        assert (done.args, done.returncode, done.container) == (["cmd"], 0, "box")


def test_input_is_sent() -> None:
    assert encoded(bytearray(b"x"), None, "strict") == b"x"
    assert encoded("ü", "latin-1", "strict") == b"\xfc"
    for data, encoding, wanted in (("x", None, "bytes"), (b"x", "utf-8", "str")):
        with pytest.raises(TypeError, match=f"input must be {wanted}, but is of type"):
            encoded(data, encoding, "strict")


def test_an_uncaptured_stream_is_none() -> None:
    seen = capture(streams={"stderr"}, encoding="utf-8")
    assert seen.completed(3, check=False).stdout is None
    assert seen.completed(3, check=False).stderr == ""


def test_the_limit_is_applied() -> None:
    seen = capture(limit=5, encoding="ascii")
    seen.take("stdout", b"123")
    seen.take("stderr", b"12345")
    with pytest.raises(TooMuchOutput, match="cmd wrote more than 5 bytes in box") as caught:
        seen.take("stdout", b"456")
    assert (caught.value.stdout, caught.value.stderr) == ("12345", "12345")
    assert (caught.value.limit, caught.value.argv) == (5, ["cmd"])


def test_text_before_an_invalid_byte_is_reported() -> None:
    told: list[tuple[str, object]] = []
    seen = capture(encoding="utf-8", on_output=lambda *part: told.append(part))
    with pytest.raises(UnicodeDecodeError):
        seen.take("stdout", b"good\n\xff")
    assert told == [("stdout", "good\n")]


def test_output_is_reported_as_it_arrives() -> None:
    told: list[tuple[str, object]] = []
    seen = capture(encoding="utf-8", on_output=lambda *part: told.append(part))
    for part in (b"a\xe2", b"\x82\xac", b"\r"):
        seen.take("stdout", part)
    seen.take("stderr", b"x")
    seen.finish()
    assert told == [("stdout", "a"), ("stdout", "€"), ("stderr", "x"), ("stdout", "\n")]
    told.clear()
    seen = capture(on_output=lambda *part: told.append(part))
    seen.take("stdout", b"\xff")
    seen.finish()
    assert told == [("stdout", b"\xff")]


def test_invalid_text_is_an_error() -> None:
    """An error with another cause still shows that cause."""
    seen = capture(encoding="ascii")
    seen.take("stdout", b"\xff")
    with pytest.raises(UnicodeDecodeError):
        seen.completed(0, check=False)
    with pytest.raises(CommandFailed) as caught:
        seen.completed(1, check=True)
    assert caught.value.stdout == "\N{REPLACEMENT CHARACTER}"
