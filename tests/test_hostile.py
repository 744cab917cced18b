"""The program against an engine whose answers are wrong, endless or far too large.

Every answer yields one line and 125, in bounded time and memory, and no local process is signalled.
"""

import asyncio
import gzip
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, one_line
from hostile import CONTAINER, ID, RIGHT, STATE, hostile, reply

MEMORY = 64 * 1024
"""KiB of memory that a run may use beyond a run with correct answers."""

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"
START = RIGHT["start"]
FRAME = b"\1\0\0\0\0\1\0\0" + b"x" * 65536

WRONG: dict[str, dict[str, bytes | tuple[bytes, bytes]]] = {
    "a list without an end": {"list": (CHUNKED, CHUNK)},
    "a list that claims an exabyte": {
        "list": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", b" " * 65536)
    },
    "a list of too many": {"list": reply([CONTAINER] * 200_000)},
    "a list of empty lists": {"list": reply(b"[" + b"[]," * 2_000_000 + b"[]]")},
    "a compressed list": {
        "list": reply(gzip.compress(b" " * 10**9, 9), headers="Content-Encoding: gzip\r\n")
    },
    "nested lists": {"list": reply(b"[" * 200_000)},
    "no number": {"list": reply(b'[{"Created": Infinity}]')},
    "a container without a proper ID": {"list": reply([CONTAINER | {"Id": "/"}])},
    "labels of the wrong type": {"list": reply([CONTAINER | {"Labels": [1]}])},
    "a redirection": {"list": reply(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n")},
    "headers without an end": {"list": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000)},
    "a header without an end": {"list": (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 65536)},
    "a status line without an end": {"list": (b"HTTP/1.1 200 ", b"b" * 65536)},
    "nothing of HTTP": {"list": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"},
    "an error without an end": {
        "list": (CHUNKED.replace(b"200 OK", b"500 Internal Server Error"), CHUNK)
    },
    "an error that is no text": {"create": reply({"message": [{}] * 9}, "409 Conflict")},
    "an error that moves the cursor": {"create": reply({"message": "\x1b[2Jx\r\ny"}, "409 C")},
    "an invalid API version in a ping": {"ping": reply(b"OK", headers="Api-Version: 1.x\r\n")},
    "a ping without an end": {"ping": (CHUNKED + b"1\r\n \r\n", CHUNK)},
    "an exec ID that is a path": {"create": reply({"Id": "../../containers/x"}, "201 Created")},
    "a start without an upgrade": {"start": reply({})},
    "frames of garbage": {"start": START + b"garbage garbage"},
    "output without an end, and no process": {
        "start": (START, FRAME),
        "state": reply(STATE | {"Pid": 0}),
    },
    "a frame of the engine's own without an end": {
        "start": (START + b"\3\0\0\0\xff\xff\xff\xff", b"x" * 65536)
    },
    "an exit code of 256": {"state": reply(STATE | {"ExitCode": 256})},
    "an exit code of 2^31": {"state": reply(STATE | {"ExitCode": 2**31})},
    "a negative exit code": {"state": reply(STATE | {"ExitCode": -1})},
    "an exit code that is text": {"state": reply(STATE | {"ExitCode": "0"})},
    "a state without an end": {"state": (CHUNKED, CHUNK)},
    "an invalid process number": {"state": reply(STATE | {"Pid": 2**70})},
}


async def run(url: str, *args: str) -> tuple[int, bytes, bytes, int]:
    """Run rind; return its status, its output and its peak memory in KiB."""

    def measured() -> tuple[int, bytes, bytes, int]:
        # From a small process: a child's peak is at least its parent's size.
        script = (
            "import resource, subprocess, sys; done = subprocess.run(sys.argv[2:]);"
            "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss;"
            "open(sys.argv[1], 'w').write(str(peak)); sys.exit(done.returncode)"
        )
        with tempfile.NamedTemporaryFile("r") as peak:
            done = subprocess.run(
                ["python3", "-S", "-c", script, peak.name, RIND, *args],
                env={"PATH": os.environ["PATH"], "HOME": "/", "DOCKER_HOST": url},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=TIMEOUT,
            )
            return done.returncode, done.stdout, done.stderr, int(peak.read())

    return await asyncio.to_thread(measured)


async def test_correct_answers_run_a_command(tmp_path: Path) -> None:
    async with hostile(tmp_path, {}) as url:
        status, out, said, _ = await run(url, "-T", "true")
    assert (status, out, said) == (0, b"", b"")


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_answer_is_one_line(tmp_path: Path, wrong: str) -> None:
    async with hostile(tmp_path, {}) as url:
        _, _, _, usual = await run(url, "-T", "true")
    (tmp_path / "x").mkdir()
    async with hostile(tmp_path / "x", WRONG[wrong]) as url:
        status, out, said, memory = await run(url, "-T", "--timeout", "20", "true")
    assert status == 125
    assert out == b""
    assert one_line(said).isprintable()
    assert len(said) < 2000
    assert memory < usual + MEMORY


COMPOSE_FOLDER = "com.docker.compose.project.working_dir"
HARMLESS: dict[str, list[object]] = {
    "a path of a megabyte": [
        CONTAINER | {"Labels": {"app.rind": "", COMPOSE_FOLDER: "/a" * 500_000}}
    ],
    "a path with a NUL": [CONTAINER | {"Labels": {"app.rind": "", COMPOSE_FOLDER: "/a\0b"}}],
    "a wrong neighbour": [CONTAINER, CONTAINER | {"Id": 7}, CONTAINER | {"Labels": []}, None],
}


@pytest.mark.parametrize("harmless", HARMLESS)
async def test_harmless_mistakes_are_ignored(tmp_path: Path, harmless: str) -> None:
    async with hostile(tmp_path, {"list": reply(HARMLESS[harmless])}) as url:
        assert (await run(url, "-T", "--timeout", "10", "true"))[:3] == (0, b"", b"")
        status, listed, said, _ = await run(url, "--list", "--timeout", "10")
    assert (status, said) == (0, b"")
    assert listed.startswith(b"NAME")


@pytest.fixture
def bystander() -> Iterator[int]:
    """Start a local process that leads a session, as an exec'd one does; it must survive."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        yield process.pid
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def own_cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]


@pytest.mark.parametrize("action", [["-T", "true"], ["--doctor"], ["--complete", "fish", "l"]])
@pytest.mark.parametrize("container_id", [ID, "", "0", "/", ":", "a", "{scope}"])
async def test_no_local_process_is_signalled(
    tmp_path: Path, bystander: int, action: list[str], container_id: str
) -> None:
    container_id = container_id.format(scope=own_cgroup(bystander))
    wrong = {
        "list": reply([CONTAINER | {"Id": container_id}]),
        # Endless output of a running command, in a container without a shell.
        "start": START + FRAME,
        "state": reply({"Running": True, "ExitCode": None, "Pid": bystander}),
    }
    async with hostile(tmp_path, wrong) as url:
        await run(url, "--timeout", "1", "--kill-after", "0.1", *action)


def test_correct_answers_are_accepted() -> None:
    """Otherwise each case above would fail for another reason than its own."""
    assert json.loads(RIGHT["list"].partition(b"\r\n\r\n")[2]) == [CONTAINER]
