"""ssh's escape sequences in typed input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.terminal.escapes import SshEscapes


class Typist:
    """Feeds input to an Escapes object, and records its actions."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._escapes = SshEscapes(
            lambda: self.done.append("suspend"), lambda: self.done.append("help")
        )

    def type(self, *parts: bytes) -> bytes:
        passed_on = b""
        for part in parts:
            passed_on += self._escapes.feed(part)
            if self._escapes.seen:
                self.done.append("detach")
                break
        return passed_on


@pytest.mark.parametrize(
    ("typed", "passed_on", "done"),
    [
        ([b"~."], b"", ["detach"]),
        ([b"~", b"."], b"", ["detach"]),
        ([b"ls\r~", b".x"], b"ls\r", ["detach"]),
        ([b"a~.b\n", b"~."], b"a~.b\n", ["detach"]),
        ([b"\r~\x1a", b"~?ls"], b"\rls", ["suspend", "help"]),
        ([b"cd ~."], b"cd ~.", []),
        ([b"cd ~", b"\x1a"], b"cd ~\x1a", []),
        ([b"~~."], b"~.", []),
        ([b"~~~."], b"~~.", []),
        ([b"~x~."], b"~x~.", []),
        ([b"~\r~."], b"~\r", ["detach"]),
    ],
)
def test_an_escape_is_recognized_at_the_start_of_a_line(
    typed: list[bytes], passed_on: bytes, done: list[str]
) -> None:
    typist = Typist()
    assert typist.type(*typed) == passed_on
    assert typist.done == done


@given(st.lists(st.text("~.?\x1a\rx").map(str.encode)))
def test_any_cutting_of_the_input_yields_the_same(parts: list[bytes]) -> None:
    cut, whole = Typist(), Typist()
    assert cut.type(*parts) == whole.type(b"".join(parts))
    assert cut.done == whole.done


@given(st.binary())
def test_input_without_a_tilde_is_passed_on(typed: bytes) -> None:
    typed = typed.replace(b"~", b"")
    assert Typist().type(typed) == typed
