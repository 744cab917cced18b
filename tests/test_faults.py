"""Connection faults to a real engine, at every point of the exchange."""

import asyncio
import os
import subprocess
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from carriers import Carry, Kept, by_each_carrier, opened
from conftest import RIND, TestContainer, one_line, wait_until
from faults import Fault, FaultProxy, fault_proxy
from processes import sleepers

from rind.endpoint.discovery import listens
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Broken, RindError
from rind.execution.session import Session
from rind.execution.start import open_exec
from rind.model import ExecConfig
from rind.transport.frames import STDERR, STDOUT

BOUND = 20.0
"""Seconds within which every run must end, with a status or an error."""

SCRIPT = "cat; echo err >&2; exit 3"
SENT = b"some bytes\n"
Result = tuple[int, dict[int, bytes]]


async def run(url: str, name: str, carry: Carry, *, tty: bool) -> Result:
    async with asyncio.timeout(BOUND), opened(url, carry) as engine:
        container = await engine.container(name)
        config = ExecConfig(argv=["sh", "-c", SCRIPT], tty=tty)
        async with await open_exec(
            Session(engine), container, config, (24, 80) if tty else None
        ) as it:
            await it.write(SENT)
            await it.send_eof()
            seen = {STDOUT: b"", STDERR: b""}
            while (part := await it.read()) is not None:
                seen[part[0]] += part[1]
            return await it.wait(), seen


EXPECTED: Result = (3, {STDOUT: SENT, STDERR: b"err\n"})


@by_each_carrier
@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_any_cutting_of_the_exchange_yields_the_same(
    busybox: TestContainer, tmp_path: Path, piece: int, carry: Carry
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.piece = piece

    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, _):
        assert await run(url, busybox.name, carry, tty=False) == EXPECTED


@by_each_carrier
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.GONE, Fault.TRUNCATE])
@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "tty"])
async def test_every_fault_ends_with_the_truth_or_a_clear_error(  # noqa: PLR0913, PLR0917 # cases
    busybox: TestContainer,
    tmp_path: Path,
    carry: Carry,
    fault: Fault,
    tty: bool,  # noqa: FBT001 # a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rind.reaper.tree.ENGINE_BACK", 0.0)  # the engine does not return
    async with fault_proxy(busybox.engine.host, tmp_path) as (url, whole):
        status, _ = await run(url, busybox.name, carry, tty=tty)
        assert status == 3
    # Each carrier strikes at every second point.
    points = range(307 if carry is Kept else 0, whole.relayed, 614)
    told: list[RindError] = []
    for point in points:

        def configure(proxy: FaultProxy, point: int = point) -> None:
            proxy.fault, proxy.at = fault, point

        async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy):
            try:
                status, seen = await run(url, busybox.name, carry, tty=tty)
            except RindError as exc:
                told.append(exc)
            except TimeoutError:
                # A clean end may mean that the command has closed its TTY: Rind awaits its end.
                # A reset without unread bytes is a clean end.
                assert tty, point
                assert fault is not Fault.GONE, point
            else:
                # The fault came after the last needed byte, or exactly at the end of a frame.
                # 126: see Inspector._doubt().
                assert status in {3, 126}, point
                assert tty or seen[STDOUT] in {SENT, b""}, point
            assert (
                proxy.struck.is_set() or proxy.relayed <= point
            )  # the count of bytes varies between runs
    assert len(told) > len(points) / 2
    assert {error.exit_status for error in told} == {125}
    assert not [error for error in told if "\n" in str(error)]


async def test_an_engine_that_dies_during_a_command_is_reported_at_once(
    busybox: TestContainer, tmp_path: Path
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.GONE, 10**9

    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy):
        process = await asyncio.create_subprocess_exec(
            *(RIND, "-c", "echo ready; read x"),
            env=busybox.environ(DOCKER_HOST=url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        assert process.stdin
        assert await process.stdout.readline() == b"ready\n"
        proxy.at = proxy.relayed + 1
        process.stdin.write(b"xx")
        await process.stdin.drain()
        async with asyncio.timeout(BOUND):
            said = await process.stderr.read()
            assert await process.wait() == 125
        assert said.startswith(b"rind: ")
        assert said.count(b"\n") == 1
        assert f"may still be running in {busybox.name}".encode() in said
        process.stdin.close()


async def test_a_broken_stream_does_not_mean_that_the_command_has_ended(
    busybox: TestContainer, tmp_path: Path
) -> None:
    """For about a quarter of such commands on a TTY, the engine reports an end with status 126."""
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"trap '' PIPE HUP; sleep {mark} & while echo y; do :; done; wait"

    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.RESET, 400_000

    async def one(folder: str) -> None:
        async with (
            fault_proxy(busybox.engine.host, Path(folder), configure) as (url, proxy),
            Engine(Endpoint(url, "the test")) as engine,
        ):
            container = await engine.container(busybox.name)
            config = ExecConfig(argv=["sh", "-c", script], tty=True)
            async with await open_exec(Session(engine), container, config) as process:
                await process.write(b"x\n")
                while await process.read() is not None:
                    pass
                assert proxy.struck.is_set()
                # Most commands still run after this time; no test can show more.
                with suppress(TimeoutError, Broken):
                    async with asyncio.timeout(BOUND / 10):
                        await process.wait()
                        assert not await process._tree.has_root()

    for _ in range(2):
        await asyncio.gather(*(one(tempfile.mkdtemp(dir=tmp_path)) for _ in range(4)))
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
frontend in
  bind unix@{listens_at}
  http-request allow if {{ path -m reg ^(/v[0-9.]+)?/(_ping|containers|events|exec|info|version) }}
  http-request deny
  default_backend engine
backend engine
  server engine unix@{engine}
"""
"""A filter that people put before an engine. HAProxy removes the request to switch protocols
from a request with a body, so docker exec fails with it too: "received 200"."""


@pytest.mark.newest_engine
@pytest.mark.parametrize("words", [[], ["--timeout", "1m"], ["-t"]])
def test_a_proxy_that_does_not_upgrade_is_reported_at_once(
    busybox: TestContainer, tmp_path: Path, words: list[str]
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    listens_at, config = tmp_path / "in.sock", tmp_path / "haproxy.cfg"
    engine = busybox.engine.host.removeprefix("unix://")
    config.write_text(HAPROXY.format(listens_at=listens_at, engine=engine))
    with subprocess.Popen([os.environ["RIND_TEST_HAPROXY"], "-f", config]) as haproxy:
        try:
            wait_until(lambda: listens(str(listens_at)))
            done = busybox.rind(*words, "sleep", mark, DOCKER_HOST=f"unix://{listens_at}")
        finally:
            haproxy.terminate()
    assert (done.returncode, done.stdout) == (125, b"")
    assert one_line(done.stderr).endswith("it answered 200 OK; is a proxy in between?")
    wait_until(lambda: sleepers(busybox, mark) == 0)
