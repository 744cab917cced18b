import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.errors import UsageError
from rind.terminal.detach_keys import DetachKeys, parse_keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b""),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("a", b"a"),
        ("a,B,1", b"aB1"),
        ("ctrl-@", b"\0"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
        ("ctrl-z,DEL", b"\x1a\x7f"),
        ("~.", b"~."),
    ],
)
def test_dockers_syntax_is_parsed(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize(
    "text", ["ctrl-", "ctrl-A", "ctrl-pq", "ab", "a,,b", ",", "é", "ctrl-p, q"]
)
def test_an_invalid_key_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="no such detach key") as caught:
        parse_keys(text)
    assert repr(text) in str(caught.value)


def test_without_keys_nothing_is_held_back() -> None:
    detach = DetachKeys(b"")
    assert detach.feed(b"\x10\x11") == b"\x10\x11"
    assert not detach.seen


def test_the_sequence_is_recognized_in_any_pieces() -> None:
    detach = DetachKeys(b"\x10\x11")
    assert detach.feed(b"ab\x10\x11cd") == b"ab"
    assert detach.seen
    detach = DetachKeys(b"\x10\x11")
    assert detach.feed(b"ab\x10") == b"ab"
    assert not detach.seen
    assert detach.feed(b"\x11") == b""
    assert detach.seen


def test_an_incomplete_sequence_is_handed_on() -> None:
    detach = DetachKeys(b"aab")
    assert detach.feed(b"aa") == b""
    assert detach.feed(b"a") == b"a"
    assert detach.feed(b"x") == b"aax"
    assert not detach.seen


@given(st.lists(st.binary(max_size=6)), st.sampled_from([b"\x10\x11", b"aab", b"a"]))
def test_no_other_key_is_lost(parts: list[bytes], keys: bytes) -> None:
    detach = DetachKeys(keys)
    handed_on = b""
    for part in parts:
        handed_on += detach.feed(part)
        if detach.seen:
            break
    typed = b"".join(parts)
    if detach.seen:
        assert handed_on == typed[: typed.index(keys)]
    else:
        assert keys not in typed
        assert typed.startswith(handed_on)
        assert keys.startswith(typed[len(handed_on) :])
