"""A real ssh agent, used in real containers."""

import asyncio
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, ended, one_line, wait_until
from ssh_server import PROGRAMS

import rind
from rind.decide.agent_messages import LONGEST_MESSAGE, frames_of
from rind.execution.ssh_agent import Carrier
from rind.transport.frames import STDOUT

pytestmark = pytest.mark.newest_engine

CLIENT = r"""
import os, socket, struct

def connect():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.environ["SSH_AUTH_SOCK"])
    return sock, sock.makefile("rb")

def send(to, kind, contents=b""):
    to[0].sendall(struct.pack(">LB", len(contents) + 1, kind) + contents)

def receive(of):
    return of[1].read(struct.unpack(">L", of[1].read(4))[0])

def text(data):
    return struct.pack(">L", len(data)) + data
"""

USE = r"""
first, second = connect(), connect()
send(second, 11)
send(first, 11)
keys = receive(first)
assert receive(second) == keys, keys
assert keys[:5] == b"\x0c\0\0\0\1" and keys.endswith(b"a comment"), keys
key = keys[9:9 + struct.unpack(">L", keys[5:9])[0]]
send(first, 13, text(key) + text(b"x" * 200000) + struct.pack(">L", 0))
assert receive(first)[0] == 14
for kind, contents in (17, text(b"ssh-ed25519")), (18, text(key)), (19, b""), (22, text(b"x")):
    send(second, kind, contents)
    assert receive(second) == b"\5", kind
folder = os.path.dirname(os.environ["SSH_AUTH_SOCK"])
state = os.stat(folder)
print(oct(state.st_mode & 0o777), state.st_uid == os.getuid(), folder)
"""

BREAK_IN = r"""
path = os.environ["SSH_AUTH_SOCK"]
[number] = (
    number for number in os.listdir("/proc") if number.isdigit()
    if open(f"/proc/{number}/cmdline", "rb").read().endswith(b"\0rind-agent\0")
)
used = connect()
send(used, 11)
assert receive(used)[0] == 12
with open(f"/proc/{number}/fd/1", "wb", 0) as output:
    output.write(b"\xff" * 3)
assert used[1].read() == b""
while os.path.exists(path):
    pass
print("goes on")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


@pytest.fixture
def agent(folder: Path) -> Iterator[str]:
    """Start an agent with one key; return the path of its socket."""
    socket_path, key = str(folder / "agent"), str(folder / "key")
    keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", key)
    with subprocess.Popen(
        [PROGRAMS / "ssh-agent", "-D", "-a", socket_path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()  # it listens
        for name, *words in (keygen, ("ssh-add", "-q", key)):
            env = {**os.environ, "SSH_AUTH_SOCK": socket_path}
            subprocess.run([PROGRAMS / name, *words], env=env, check=True, timeout=TIMEOUT)
        yield socket_path
        process.kill()


def is_gone(container: TestContainer, path: str) -> bool:
    return path not in sockets(container)


def sockets(container: TestContainer) -> str:
    return container.inside("ls -d /tmp/rind-agent-* /dev/shm/rind-agent-* 2>/dev/null || true")


def test_the_keys_can_be_listed_and_used_while_the_command_runs(
    django: TestContainer, agent: str
) -> None:
    words = ("--ssh-agent", "-u", "app", "python3", "-c", CLIENT + USE)
    done = django.rind(*words, SSH_AUTH_SOCK=agent)
    assert (done.returncode, done.stderr) == (0, b""), done
    mode, is_own, path = done.stdout.decode().split()
    assert (mode, is_own) == ("0o700", "True")
    assert path not in sockets(django)
    child = django.spawn(
        *("--ssh-agent", "sh", "-c", 'test -S "$SSH_AUTH_SOCK" && tty'),
        env={"SSH_AUTH_SOCK": agent},
    )
    child.expect_exact("/dev/pts/")
    child.wait()
    env = {**os.environ, "SSH_AUTH_SOCK": agent}
    listed = subprocess.run([PROGRAMS / "ssh-add", "-l"], env=env, capture_output=True, check=True)
    assert b"a comment" in listed.stdout


def test_nothing_is_left_whatever_ends_the_command(django: TestContainer, agent: str) -> None:
    script = 'echo "${SSH_AUTH_SOCK%/socket}"; exec cat'
    for number in signal.SIGKILL, signal.SIGTERM:
        with subprocess.Popen(
            [RIND, "--ssh-agent", "-c", script],
            env=django.environ(SSH_AUTH_SOCK=agent),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout
            path = process.stdout.readline().decode().strip()
            assert path in sockets(django)
            process.send_signal(number)
            assert ended(process) == 128 + number
        if number == signal.SIGKILL:  # the engine ends the script
            wait_until(partial(is_gone, django, path))
        assert is_gone(django, path)


def test_one_line_says_why_there_is_no_agent(
    busybox: TestContainer, distroless: TestContainer, agent: str, folder: Path
) -> None:
    dead = str(folder / "dead")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(dead)
    no_way = "the ssh agent cannot be carried into"
    for container, path, said in (
        (busybox, agent, f"{no_way} {busybox.name}: it has neither python3 nor perl"),
        (distroless, agent, f"{no_way} {distroless.name}: /bin/sh: not found"),
        (busybox, "", "there is no ssh agent here: SSH_AUTH_SOCK is not set"),
        (busybox, dead, f"no ssh agent answers at {dead} (SSH_AUTH_SOCK): Connection refused"),
        (busybox, f"{dead}r", f"no ssh agent answers at {dead}r (SSH_AUTH_SOCK): No such file"),
        (busybox, str(folder), f"SSH_AUTH_SOCK names no socket of yours: {folder}"),
    ):
        done = container.rind("--ssh-agent", "echo", "ran", SSH_AUTH_SOCK=path)
        assert (done.returncode, done.stdout) == (125, b"")
        assert one_line(done.stderr).startswith(said)


def test_a_label_asks_for_it_and_does_without(containers: Containers, agent: str) -> None:
    label = "test.agent"
    made = containers("busybox", "", "--label", f"{label}.ssh-agent=true", label=label)
    words = ("--container", made.name, "echo", "ran")
    done = made.rind(*words, SSH_AUTH_SOCK=agent)
    assert (done.returncode, done.stdout) == (0, b"ran\n")
    said = "it has neither python3 nor perl; the command runs without it"
    assert one_line(done.stderr).endswith(said)
    for options in ["--no-ssh-agent"], ["--detach"]:
        done = made.rind(*options, *words)
        assert (done.returncode, done.stderr) == (0, b"")
    done = made.rind("--explain", *words, SSH_AUTH_SOCK=agent)
    assert f"ssh agent: {agent} ({label}.ssh-agent)\n" in done.stdout.decode()


async def test_a_script_that_is_tampered_with_ends_and_the_command_goes_on(
    django: TestContainer, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    words = ["python3", "-c", CLIENT + BREAK_IN]
    done = await rind.run(words, ssh_agent=True, check=True, **django.where)
    assert done.stdout == b"goes on\n"
    assert not sockets(django)


class FakeScript:
    """A script that sends what a test wants, as no right one would."""

    def __init__(self) -> None:
        self.output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self.input = bytearray()
        self.has_input = asyncio.Event()
        self.is_closed = asyncio.Event()

    async def read(self) -> tuple[int, bytes] | None:
        return await self.output.get()

    async def write(self, data: bytes) -> None:
        self.input += data
        self.has_input.set()

    async def send_eof(self) -> None:
        self.output.put_nowait(None)

    async def wait(self) -> int:
        return 0

    async def aclose(self) -> None:
        self.is_closed.set()


@pytest.fixture
async def hostile(folder: Path) -> AsyncIterator[tuple[FakeScript, SimpleNamespace]]:
    """Return a script, and the state of an agent that never answers."""
    state = SimpleNamespace(connections=0, opened=asyncio.Event(), closed=asyncio.Event())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        state.opened.set()
        await reader.read()
        state.closed.set()
        writer.close()

    path = str(folder / "silent")
    script: Any = FakeScript()
    async with await asyncio.start_unix_server(serve, path):
        carrier = Carrier(script, "/tmp/x", path, b"")
        yield script, state
        await carrier.aclose()


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">LB", LONGEST_MESSAGE + 1, 11),
        struct.pack(">LB", 1, 11) * 100,
    ],
    ids=["a message that is too long", "too many requests"],
)
async def test_only_the_connection_ends_if_a_client_sends_too_much(
    hostile: tuple[FakeScript, SimpleNamespace], sent: bytes
) -> None:
    script, _ = hostile
    script.output.put_nowait((STDOUT, frames_of(3, sent)))
    await script.has_input.wait()
    assert script.input == frames_of(3, b"")
    assert not script.is_closed.is_set()


async def test_a_client_that_goes_away_does_not_keep_the_agent(
    hostile: tuple[FakeScript, SimpleNamespace],
) -> None:
    script, state = hostile
    script.output.put_nowait((STDOUT, frames_of(3, struct.pack(">LB", 1, 11))))
    await state.opened.wait()
    script.output.put_nowait((STDOUT, frames_of(3, b"")))
    await state.closed.wait()
    await script.has_input.wait()
    assert script.input == frames_of(3, b"")


async def test_countless_connections_end_the_script(
    hostile: tuple[FakeScript, SimpleNamespace],
) -> None:
    script, state = hostile
    opened = frames_of(3, struct.pack(">LB", 1, 11)) + frames_of(3, b"")
    script.output.put_nowait((STDOUT, opened * 1000))
    await script.is_closed.wait()
    assert state.connections <= 1
