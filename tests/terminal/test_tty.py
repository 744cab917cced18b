import os
import termios

import pytest

from rind.terminal.tty import RawMode, in_foreground, is_terminal, terminal_variables, window_size


@pytest.fixture
def pty() -> tuple[int, int]:
    return os.openpty()


def test_raw_mode_is_set_and_restored(pty: tuple[int, int]) -> None:
    master, slave = pty
    before = termios.tcgetattr(slave)
    os.write(master, b"typed before\n")
    with RawMode(slave):
        iflag, oflag, _, lflag, *_ = termios.tcgetattr(slave)
        assert not oflag & termios.OPOST
        assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        assert not iflag & (termios.ICRNL | termios.IXON)
        assert os.read(slave, 100) == b"typed before\n"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_the_terminal_is_restored_after_an_exception(pty: tuple[int, int]) -> None:
    master, slave = pty
    before = termios.tcgetattr(slave)
    with pytest.raises(KeyError), RawMode(slave):
        raise KeyError
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_terminal_may_hang_up_in_raw_mode(pty: tuple[int, int]) -> None:
    master, slave = pty
    with RawMode(slave) as raw:
        os.close(master)
        raw.resume()
    os.close(slave)


def test_a_terminal_is_recognized(pty: tuple[int, int]) -> None:
    master, slave = pty
    assert is_terminal(slave)
    os.close(slave)
    assert not is_terminal(slave)
    os.close(master)


def test_the_first_known_window_size_is_used(pty: tuple[int, int]) -> None:
    master, slave = pty
    reader, writer = os.pipe()
    assert window_size(reader, slave) is None  # a new PTY says 0, 0
    for half in ((0, 80), (24, 0)):
        termios.tcsetwinsize(slave, half)
        assert window_size(reader, slave) == half
    termios.tcsetwinsize(slave, (31, 97))
    assert window_size(reader, slave) == (31, 97)
    for fd in (master, slave, reader, writer):
        os.close(fd)


def test_raw_mode_can_be_left_and_set_again(pty: tuple[int, int]) -> None:
    master, slave = pty
    before = termios.tcgetattr(slave)
    with RawMode(slave) as raw:
        inside = termios.tcgetattr(slave)
        for _ in range(2):
            raw.suspend()
            raw.suspend()
            assert termios.tcgetattr(slave) == before
            raw.resume()
            raw.resume()
            assert termios.tcgetattr(slave) == inside
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_terminal_that_is_not_ours_to_control_has_no_background(pty: tuple[int, int]) -> None:
    master, slave = pty
    assert in_foreground(slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("xterm", "xterm"),
        ("xterm-256color", "xterm-256color"),
        ("tmux-256color", "tmux-256color"),
        ("dumb", "dumb"),
        ("xterm-kitty", "xterm-256color"),
        ("alacritty", "xterm-256color"),
        ("xterm-ghostty", "xterm-256color"),
    ],
)
def test_a_term_that_the_container_cannot_know_falls_back(term: str, expected: str) -> None:
    assert terminal_variables({"TERM": term}) == {"TERM": expected}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"LANG": "de_DE.UTF-8", "LC_TIME": "x", "HOME": "/"}, {"LANG": "C.UTF-8"}),
        ({"LC_ALL": "en_US.utf8", "LANG": "C"}, {"LANG": "C.UTF-8"}),
        ({"LC_CTYPE": "UTF-8"}, {"LANG": "C.UTF-8"}),
        ({"LANG": "sr_RS.UTF-8@latin"}, {"LANG": "C.UTF-8"}),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, {}),
        ({"LANG": "de_DE@euro", "LC_MESSAGES": "de_DE.UTF-8"}, {}),
        ({"COLORTERM": "truecolor"}, {"COLORTERM": "truecolor"}),
        ({"COLORTERM": "rxvt-xpm", "TERM": ""}, {}),
    ],
)
def test_terminal_variables_are_passed_on(env: dict[str, str], expected: dict[str, str]) -> None:
    assert terminal_variables(env) == expected
