import os
import termios

import pytest

from rind.terminal import is_terminal, raw_mode, window_size


@pytest.fixture
def pty() -> tuple[int, int]:
    return os.openpty()


def test_raw_mode_and_back(pty: tuple[int, int]) -> None:
    master, slave = pty
    before = termios.tcgetattr(slave)
    os.write(master, b"typed before\n")
    with raw_mode(slave):
        iflag, oflag, _, lflag, *_ = termios.tcgetattr(slave)
        assert not oflag & termios.OPOST
        assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        assert not iflag & (termios.ICRNL | termios.IXON)
        assert os.read(slave, 100) == b"typed before\n"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_the_terminal_is_given_back_after_an_exception(pty: tuple[int, int]) -> None:
    master, slave = pty
    before = termios.tcgetattr(slave)
    with pytest.raises(KeyError), raw_mode(slave):
        raise KeyError
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_terminal_that_hangs_up_meanwhile(pty: tuple[int, int]) -> None:
    master, slave = pty
    with raw_mode(slave):
        os.close(master)
    os.close(slave)


def test_is_terminal(pty: tuple[int, int]) -> None:
    master, slave = pty
    assert is_terminal(slave)
    os.close(slave)
    assert not is_terminal(slave)
    os.close(master)


def test_window_size_is_the_first_that_is_known(pty: tuple[int, int]) -> None:
    master, slave = pty
    reader, writer = os.pipe()
    assert window_size(reader, slave) is None  # a new PTY says 0, 0
    termios.tcsetwinsize(slave, (31, 97))
    assert window_size(reader, slave) == (31, 97)
    for fd in (master, slave, reader, writer):
        os.close(fd)
