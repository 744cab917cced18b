"""Local processes that provably are a container's, on real engines."""

import asyncio
import os
import signal as signals
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import TestContainer, TestEngine, wait_until
from processes import sees_processes

from rind.reaper.host_processes import is_engine, is_up, session_of, signal_tree, until_ended

pytestmark = sees_processes


@pytest.fixture
def bystander() -> Iterator[int]:
    """Start a local process outside of every container; it must survive."""
    process = subprocess.Popen(["sleep", "1000"], env={"RIND_EXEC_ID": "x"}, start_new_session=True)
    try:
        yield process.pid
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_real_engine_is_recognized(engine: TestEngine) -> None:
    assert is_engine(engine.host.removeprefix("unix://"))


def test_another_listener_is_not_an_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(str(tmp_path / "ours"))
        assert not is_engine(str(tmp_path / "ours"))  # no process listens yet
        ours.listen()
        assert not is_engine(str(tmp_path / "ours"))  # as ssh does when it forwards a socket
    assert not is_engine(str(tmp_path / "nothing"))
    assert not is_engine(str(tmp_path / ("x" * 200)))
    assert not is_engine("")
    assert not is_engine("/nul\0")


def test_another_users_engine_is_not_trusted(
    engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = engine.host.removeprefix("unix://")
    monkeypatch.setattr("rind.reaper.host_processes._UCRED", _Peer(uid=4242))
    assert not is_engine(path)
    monkeypatch.setattr("rind.reaper.host_processes._UCRED", _Peer(pid=0))
    assert not is_engine(path)


class _Peer:
    """A socket for which the kernel reports another peer."""

    size = 12

    def __init__(self, pid: int = 1, uid: int = 0) -> None:
        self.peer = pid, uid, 0

    def unpack(self, _: bytes) -> tuple[int, int, int]:
        return self.peer


def first_process(container: TestContainer) -> tuple[int, str]:
    said = container.engine.cli("inspect", "--format", "{{.State.Pid}} {{.Id}}", container.name)
    pid, container_id = said.split()
    return int(pid), container_id


def test_a_containers_process_is_recognized(busybox: TestContainer) -> None:
    pid, container_id = first_process(busybox)
    found = session_of(pid, container_id)
    assert found is not None
    assert found.number == "1"
    assert int(found.start) > 0


@pytest.mark.parametrize(
    "wrong", ["", "0", "/", ":", "a", "docker", "{short}", "{upper}", "{longer}", ".*", "{other}"]
)
def test_a_wrong_id_proves_nothing(busybox: TestContainer, wrong: str, bystander: int) -> None:
    pid, right = first_process(busybox)
    wrong = wrong.format(
        short=right[:12], upper=right.upper(), longer=f"{right}0", other=right[::-1]
    )
    assert session_of(pid, wrong) is None
    assert session_of(bystander, wrong) is None
    assert signal_tree(signals.SIGKILL, "RIND_EXEC_ID=x", bystander, wrong) == 0
    assert session_of(pid, right) is not None


def test_the_right_id_reaches_nothing_outside_the_container(
    busybox: TestContainer, bystander: int
) -> None:
    _, container_id = first_process(busybox)
    assert session_of(bystander, container_id) is None
    assert session_of(0, container_id) is None
    assert session_of(2**31, container_id) is None
    assert signal_tree(signals.SIGKILL, "RIND_EXEC_ID=x", bystander, container_id) == 0


def test_a_tree_is_signalled_by_its_variable(busybox: TestContainer) -> None:
    cookie, mark = uuid.uuid4().hex, str(uuid.uuid4().int % 10**8 + 10**8)
    variable = f"RIND_EXEC_ID={cookie}"
    busybox.engine.cli(
        *("exec", "--detach", "--env", variable, busybox.name),
        *("sh", "-c", f"env -i sleep {mark} & exec sleep {mark}"),
    )
    _, container_id = first_process(busybox)
    wait_until(lambda: signal_tree(0, variable, None, container_id) == 2)
    assert signal_tree(signals.SIGTERM, variable, None, container_id) == 2
    wait_until(lambda: signal_tree(0, variable, None, container_id) == 0)


def test_a_process_with_a_reused_number_is_spared(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start time differs from that of the process that was looked at."""
    from rind.reaper import host_processes  # noqa: PLC0415 # its inside

    cookie = uuid.uuid4().hex
    variable = f"RIND_EXEC_ID={cookie}"
    busybox.engine.cli("exec", "--detach", "--env", variable, busybox.name, "sleep", "1000")
    _, container_id = first_process(busybox)
    wait_until(lambda: signal_tree(0, variable, None, container_id) == 1)
    real, looks = host_processes._stat, [0]

    def later(folder: Path) -> list[str]:
        fields: list[str] = real(folder)
        looks[0] += 1
        fields[19] = str(int(fields[19]) + looks[0])
        return fields

    with monkeypatch.context() as reused:
        reused.setattr(host_processes, "_stat", later)
        reused.setattr(signals, "pidfd_send_signal", lambda *_: pytest.fail("it was signalled"))
        signal_tree(signals.SIGKILL, variable, None, container_id)
    assert signal_tree(signals.SIGKILL, variable, None, container_id) == 1


async def test_the_end_of_a_process_is_awaited(busybox: TestContainer) -> None:
    cookie = uuid.uuid4().hex
    variable = f"RIND_EXEC_ID={cookie}"
    busybox.engine.cli("exec", "--detach", "--env", variable, busybox.name, "sleep", "1000")
    _, container_id = first_process(busybox)
    looks = ((bearer(variable), container_id), (os.getpid(), container_id), (2**31, container_id))
    (pid, _), *others = looks
    for other in others:
        assert await until_ended(*other) is False
    waiting = asyncio.create_task(until_ended(pid, container_id))
    await asyncio.sleep(0)
    assert not waiting.done()
    os.kill(pid, signals.SIGKILL)
    assert await waiting is True
    taken = Path(f"/proc/{pid}")
    wait_until(lambda: not taken.exists())  # it is dead, perhaps still a zombie
    assert await until_ended(pid, container_id) is False


def bearer(variable: str) -> int:
    """Return the process whose environment has a variable."""

    def found() -> list[int]:
        pids = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    pids.append(int(folder.name))
        return pids

    wait_until(lambda: len(found()) == 1)
    return found()[0]


def test_missing_rights_are_reported(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, container_id = first_process(busybox)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PermissionError):
        signal_tree(0, "RIND_EXEC_ID=nobody", None, container_id)


def test_a_container_is_up_until_its_first_process_ends(busybox: TestContainer) -> None:
    container_id = busybox.engine.cli("inspect", "--format", "{{.Id}}", busybox.name)
    assert is_up(container_id)
    assert not is_up("0" * 64)
    assert not is_up("x")
