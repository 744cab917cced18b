import re
import signal
import socket

import pytest

from rind.base import light


def test_the_extension_modules_are_the_public_ones_without_their_enums() -> None:
    for name in ("SIGINT", "SIGALRM", "SIGWINCH", "SIG_IGN", "SIG_DFL", "ITIMER_REAL"):
        assert getattr(light.signal, name) == getattr(signal, name)
    for name in ("AF_UNIX", "SHUT_WR", "MSG_DONTWAIT", "SOCK_STREAM", "IPPROTO_TCP"):
        assert getattr(light.socket, name) == getattr(socket, name)
    assert issubclass(socket.socket, light.socket.socket)
    for name in ("signal", "getsignal", "setitimer", "set_wakeup_fd", "pthread_sigmask"):
        assert callable(getattr(light.signal, name))
    for name in ("getaddrinfo", "gethostname", "inet_pton"):
        assert callable(getattr(light.socket, name))


def test_a_pattern_is_compiled_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_it = re.compile

    def note(text: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(text)
        return compile_it(text, flags)

    monkeypatch.setattr(re, "compile", note)
    digits = light.pattern("[0-9]+")
    assert not compiled
    assert digits.fullmatch("12")
    assert digits.sub("x", "a1") == "ax"
    assert digits.pattern == "[0-9]+"
    assert set(compiled) == {"[0-9]+"}
