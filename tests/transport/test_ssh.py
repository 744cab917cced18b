"""ssh, with a real server on this machine. test_transports.py runs commands over it."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pexpect
import pytest
from conftest import RIND, TIMEOUT, TestContainer, wait_until
from processes import is_leashed
from ssh_server import SshServer, serving

import rind
from rind.base.deadline import Deadline
from rind.transport import ssh
from rind.transport.carrier import Request
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier
from rind.transport.ssh import SshDialer, SshError
from rind.transport.wire import BlockingWire

if TYPE_CHECKING:
    from rind.transport.wire import WireKind

pytestmark = pytest.mark.newest_engine
by_each_kind = pytest.mark.parametrize("kind", [BlockingWire, LoopWire], ids=["blocking", "loop"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """Return a server whose idle connections end after a second."""
    with TemporaryDirectory(prefix="ssh") as folder, serving(Path(folder) / "s") as up:
        for name, value in up.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(ssh._OPTIONS, "ControlPersist", "1")
        yield up
        wait_until_gone(up)


def wait_until_gone(server: SshServer) -> None:
    """Wait until no ssh client is left."""
    wait_until(lambda: not server.clients())


async def ping(url: str, kind: "WireKind") -> int:
    carrier = SocketCarrier(SshDialer(url, kind, interactive=False))
    return (await carrier.request(Request("GET", "_ping"), Deadline(10))).status


@by_each_kind
async def test_one_connection_is_shared(
    server: SshServer, busybox: TestContainer, kind: "WireKind"
) -> None:
    url = server.over(busybox.engine.host)
    wire = await SshDialer(url, kind, interactive=False).dial(Deadline(TIMEOUT))
    (pid,) = server.clients()  # the connection does not end while the wire is open
    assert await ping(url, kind) == 200
    assert server.clients() == [pid]
    wire.close()
    # No other user may access its sockets.
    for entry in Path(os.environ["XDG_RUNTIME_DIR"], "rind").iterdir():
        assert entry.stat().st_mode & 0o077 == 0
    wait_until_gone(server)
    assert await ping(url, kind) == 200


@by_each_kind
async def test_a_host_of_the_users_configuration_is_reached(
    server: SshServer, busybox: TestContainer, kind: "WireKind"
) -> None:
    url = server.over(busybox.engine.host).replace(server.url, "ssh://there")
    assert await ping(url, kind) == 200


@by_each_kind
async def test_a_cut_connection_is_replaced(
    server: SshServer, busybox: TestContainer, kind: "WireKind"
) -> None:
    url = server.over(busybox.engine.host)
    carrier = SocketCarrier(SshDialer(url, kind, interactive=False))
    assert (await carrier.request(Request("GET", "_ping"), Deadline(10))).status == 200
    server.cut()
    assert (await carrier.request(Request("GET", "_ping"), Deadline(10))).status == 200


async def test_concurrent_requests_share_an_ssh(server: SshServer, busybox: TestContainer) -> None:
    carrier = SocketCarrier(
        SshDialer(server.over(busybox.engine.host), LoopWire, interactive=False)
    )
    asked = [carrier.request(Request("GET", "_ping"), Deadline(10)) for _ in range(20)]
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert len(server.clients()) <= 1  # it ends after a long idle time


def test_two_programs_share_one_connection(server: SshServer, busybox: TestContainer) -> None:
    environ = busybox.environ(**server.environ, DOCKER_HOST=server.over(busybox.engine.host))
    argv = [RIND, "--container", busybox.name, "echo", "done"]
    both = [subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate(timeout=TIMEOUT)[0] for process in both] == [b"done\n"] * 4
    assert len(list(Path(server.environ["XDG_RUNTIME_DIR"], "rind").glob("*.sock.*"))) <= 4
    for pid in server.clients():  # they would stay for ten seconds
        os.kill(pid, signal.SIGTERM)


# --- faults -----------------------------------------------------------------------------------


@by_each_kind
async def test_an_unknown_host_is_rejected(server: SshServer, kind: "WireKind") -> None:
    (server.folder / "known_hosts").write_text("")
    with pytest.raises(SshError, match="ssh says: Host key verification failed; to see more"):
        await ping(f"{server.url}/x", kind)
    assert not server.clients()


@by_each_kind
async def test_a_rejected_key_is_reported(server: SshServer, kind: "WireKind") -> None:
    (server.folder / "key.pub").write_text("")
    with pytest.raises(SshError, match=r"Permission denied .*: ssh -p \d+ -- root@127.0.0.1"):
        await ping(f"{server.url}/x", kind)
    assert not server.clients()


@by_each_kind
async def test_a_missing_server_is_reported(server: SshServer, kind: "WireKind") -> None:
    with pytest.raises(SshError, match=r"ssh says: connect to host .* port 1: Connection refused"):
        await ping("ssh://root@127.0.0.1:1/x", kind)
    assert not server.clients()


@by_each_kind
async def test_a_missing_ssh_program_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: "WireKind"
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ssh, "_FALLBACK", f"{tmp_path}/{{}}")
    monkeypatch.setattr(ssh, "_LONGEST_PATH", 200)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(SshError, match="the ssh command is not installed"):
        await ping("ssh://there", kind)


async def test_a_missing_engine_behind_ssh_is_reported(server: SshServer) -> None:
    with pytest.raises(rind.Unreachable, match="reaches the machine, but no engine answers at /x "):
        async with rind.connect(f"{server.url}/x"):
            pass


async def test_a_server_without_forwarding_is_reported(
    monkeypatch: pytest.MonkeyPatch, busybox: TestContainer
) -> None:
    with (
        TemporaryDirectory(prefix="ssh") as folder,
        serving(Path(folder) / "s", "AllowStreamLocalForwarding no") as server,
    ):
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(rind.Unreachable, match=r"forward sockets \(AllowStreamLocalForwardi"):
            async with rind.connect(server.over(busybox.engine.host)):
                pass


@pytest.mark.parametrize("fault", ["open", "link", "file"])
async def test_a_shared_socket_folder_is_not_used(
    server: SshServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    folder = Path(os.environ["XDG_RUNTIME_DIR"], "rind")
    if fault == "open":
        folder.mkdir()
        folder.chmod(0o770)
    elif fault == "link":
        folder.symlink_to(server.folder)
    else:
        folder.touch()
    monkeypatch.setattr(ssh, "_FALLBACK", f"{folder}{{}}")
    other = Path(f"{folder}{os.getuid()}")
    # The other folder is used if possible.
    with pytest.raises(rind.Unreachable, match="no engine answers"):
        async with rind.connect(f"{server.url}/x"):
            pass
    other.chmod(0o755)
    with pytest.raises(rind.Unreachable, match=f"{other} for the sockets of ssh is not private"):
        async with rind.connect(f"{server.url}/x"):
            pass


@pytest.mark.parametrize("fault", ["theirs", "below theirs", "open", "link"])
async def test_a_socket_folder_that_another_user_can_replace_is_not_used(
    server: SshServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """As with sudo -E: the sockets could lead to that user's engine."""
    folder = Path(server.folder).parent / "r"  # a longer one would not be used anyway
    home, runtime = folder / "u", folder / "u/r"
    runtime.mkdir(parents=True)
    if fault == "open":
        runtime.chmod(0o777)
    elif fault == "link":
        os.chown(home, 4242, 4242)
        (folder / "l").symlink_to(runtime)
        runtime = folder / "l"
    else:
        os.chown(home if fault == "below theirs" else runtime, 4242, 4242)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(ssh, "_FALLBACK", f"{folder}/f{{}}")
    with pytest.raises(rind.Unreachable):
        async with rind.connect(f"{server.url}/x"):
            pass
    assert not (runtime / "rind").exists()
    assert (folder / f"f{os.getuid()}").exists()


# --- ssh is ended -----------------------------------------------------------------------------


@pytest.fixture
def silent(server: SshServer) -> Iterator[tuple[SshServer, str, socket.socket]]:
    """Return a server, the URL of a socket that never answers, and its listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield server, "ssh://{}:{}/x".format(*listener.getsockname()), listener


async def test_cancelling_leaves_no_ssh(
    silent: tuple[SshServer, str, socket.socket],
) -> None:
    server, url, listener = silent
    connecting = asyncio.create_task(ping(url, LoopWire))
    listener.setblocking(False)
    theirs, _ = await asyncio.get_running_loop().sock_accept(listener)
    assert server.clients()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert not server.clients()
    theirs.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killing_rind_leaves_no_ssh(
    silent: tuple[SshServer, str, socket.socket], number: signal.Signals
) -> None:
    server, url, listener = silent
    environ = {**os.environ, "DOCKER_HOST": url, "HOME": "/nonexistent"}
    process = subprocess.Popen([RIND, "true"], env=environ, stderr=subprocess.PIPE)
    with listener.accept()[0]:
        process.send_signal(number)
        _, said = process.communicate(timeout=TIMEOUT)
    assert said == b""
    wait_until_gone(server)


def test_an_ssh_in_the_background_ends_after_its_user_was_killed(
    server: SshServer, busybox: TestContainer
) -> None:
    environ = busybox.environ(**server.environ, DOCKER_HOST=server.over(busybox.engine.host))
    argv = [RIND, "--container", busybox.name, "sh", "-c", "echo ready; exec sleep 9847"]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while not is_leashed(busybox):
            pass
        process.kill()
    assert server.clients()
    # The leash ends the command; then the connection ends.
    wait_until(lambda: "sleep 9847" not in busybox.inside("ps"))
    wait_until_gone(server)


# --- prompts of ssh ---------------------------------------------------------------------------


def test_ssh_prompts_at_the_terminal(server: SshServer, busybox: TestContainer) -> None:
    (server.folder / "known_hosts").write_text("")
    environ = busybox.environ(**server.environ, DOCKER_HOST=server.over(busybox.engine.host))
    terminal = pexpect.spawn(
        RIND, ["--container", busybox.name, "tty"], env=environ, timeout=TIMEOUT
    )
    terminal.expect_exact("Are you sure you want to continue connecting")
    terminal.sendline("yes")
    terminal.expect_exact("/dev/pts/")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0
    for pid in server.clients():  # they would stay for ten seconds
        os.kill(pid, signal.SIGTERM)


def test_the_library_never_prompts(server: SshServer, busybox: TestContainer) -> None:
    (server.folder / "known_hosts").write_text("")
    program = f"""
import rind
try:
    rind.run_sync(["true"], host={server.over(busybox.engine.host)!r})
except rind.Unreachable as exc:
    print(exc)
"""
    terminal = pexpect.spawn(
        str(Path(RIND).with_name("python")), ["-c", program], env={**os.environ}, timeout=TIMEOUT
    )
    terminal.expect_exact("Host key verification failed")
    terminal.expect(pexpect.EOF)
    assert b"Are you sure" not in terminal.before
    terminal.wait()
