"""The scripts on this machine, as the container's shell chooses them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TIMEOUT

from rind.decide.agent_messages import MOST_CONNECTIONS, Frames, frames_of
from rind.execution.agent_scripts import agent_config


class Script:
    """A running script."""

    def __init__(self, path: Path) -> None:
        config = agent_config("")
        env = {"PATH": str(path), **dict(line.split("=", 1) for line in config.env)}
        self.process = subprocess.Popen(
            config.argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin
        assert self.process.stdout
        self._in, self._out = self.process.stdin, self.process.stdout
        self.path = Path(os.fsdecode(self._out.readline().removesuffix(b"\n")))

    def connect(self, says: bytes = b"") -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.path))
        sock.sendall(says)
        return sock

    def send(self, number: int, data: bytes) -> None:
        self._in.write(frames_of(number, data))
        self._in.flush()

    def frame(self) -> tuple[int, bytes]:
        header = self._out.read(3)
        [frame] = Frames().feed(header + self._out.read(int.from_bytes(header[1:])))
        return frame

    def close(self) -> int:
        self._in.close()
        return self.process.wait(TIMEOUT)


@pytest.fixture(params=["python3", "perl"])
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Script]:
    """Start a script; all that its PATH has is this program."""
    real = {"python3": sys.executable, "perl": "/usr/bin/perl"}[request.param]
    (tmp_path / request.param).symlink_to(os.path.realpath(real))
    started = Script(tmp_path)
    with started.process:
        yield started
        started.process.kill()


def receive(sock: socket.socket, size: int) -> bytes:
    return sock.recv(size, socket.MSG_WAITALL)


def test_connections_are_carried_until_both_sides_have_closed_them(script: Script) -> None:
    assert script.path.parent.stat().st_mode & 0o777 == 0o700
    first, second = script.connect(b"one"), script.connect()
    one, data = script.frame()
    assert data == b"one"
    second.sendall(b"two")
    two, data = script.frame()
    assert (data, two != one) == (b"two", True)
    large = os.urandom(1_000_000)
    script.send(two, large)
    script.send(one, b"1")
    assert receive(first, 1) == b"1"  # although the other one does not read
    assert receive(second, len(large)) == large
    first.close()
    assert script.frame() == (one, b"")
    script.send(one, b"too late")
    script.send(one, b"")
    script.send(two, b"last")
    script.send(two, b"")
    assert (receive(second, 4), receive(second, 1)) == (b"last", b"")
    assert script.frame() == (two, b"")
    second.close()
    assert (script.close(), script.path.parent.exists()) == (0, False)


def test_more_connections_than_there_may_be_have_to_wait(script: Script) -> None:
    clients = [script.connect(b"x") for _ in range(MOST_CONNECTIONS + 1)]
    numbers = [script.frame()[0] for _ in range(MOST_CONNECTIONS)]
    assert sorted(numbers) == list(range(MOST_CONNECTIONS))
    script.send(3, b"")
    assert script.frame() == (3, b"")
    assert script.frame() == (3, b"x")
    for client in clients:
        client.close()
    script.process.send_signal(signal.SIGTERM)
    assert (script.process.wait(TIMEOUT), script.path.parent.exists()) == (1, False)
