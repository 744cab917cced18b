"""Commands in one container, many of them, on any event loop."""

import asyncio
import gc
import os
import shlex
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop
from conftest import Containers, TestContainer, one_line
from faults import FaultProxy, fault_proxy
from processes import HeldTrees, descriptors

import rind
from rind.execution.exec import KILL_AFTER

if TYPE_CHECKING:
    from rind.errors import Ending


async def test_a_timeout_has_the_partial_output_and_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"echo part; trap '' TERM; sleep {mark} & sleep {mark}; sleep {mark}"
    with pytest.raises(rind.TimedOut) as caught:
        await rind.run(script=script, timeout=0.5, text=True, **busybox.where)
    exc = caught.value
    assert isinstance(exc, TimeoutError)
    assert (exc.stdout, exc.stderr, exc.timeout, exc.exit_status) == ("part\n", "", 0.5, 124)
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_a_cancelled_run_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        started = asyncio.Event()

        async def fail() -> None:
            await started.wait()
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup):  # noqa: PT012 # it is the group that is tested
            async with asyncio.TaskGroup() as group:
                group.create_task(target.run(["sleep", mark]))
                group.create_task(fail())
                async with target.open_process(["cat"]) as process:
                    process.stdin.write(b"x\n")
                    await process.stdout.readline()
                    started.set()
                    await process.wait()
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


@pytest.mark.newest_engine
async def test_two_hundred_commands_run_concurrently(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All run at once, long enough for a leash to hold them, and end at once."""
    commands = 200
    threads = threading.active_count()
    together = asyncio.Barrier(commands)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        held = HeldTrees(monkeypatch)

        async def one(number: int) -> bool:
            script = f"echo ready; cat; echo {number} >&2; exit {number}"
            async with target.open_process(script=script) as process:
                assert await process.stdout.readline() == b"ready\n"
                if await together.wait() == 0:
                    await held.wait_for(lambda cookies: len(cookies) == commands)
                await together.wait()
                expected = b"%d" % number * 1000, b"%d\n" % number
                return await process.communicate(expected[0]) == expected and (
                    process.returncode == number
                )

        assert all(await asyncio.gather(*map(one, range(commands))))
        assert not held.cookies
    assert threading.active_count() == threads


def eager_loop() -> asyncio.AbstractEventLoop:
    # Not on uvloop, which does not support the keywords of the eager task factory.
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop, eager_loop])
@pytest.mark.parametrize("debug", [False, True])
def test_any_event_loop_works(
    busybox: TestContainer,
    factory: Callable[[], asyncio.AbstractEventLoop],
    debug: bool,  # noqa: FBT001 # a case
) -> None:
    async def work() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        async with rind.connect(busybox.engine.host) as client:
            target = await client.find(container=busybox.name)
            done = await target.run(["cat"], input=b"x" * 10**6)
            assert done.stdout == b"x" * 10**6
            async with target.open_process(["sh", "-c", "read x; exit 5"]) as process:
                process.stdin.write(b"\n")
                assert await process.wait() == 5
            with pytest.raises(rind.TimedOut):
                await target.run(["sleep", "1000"], timeout=0.1)

    for _ in range(2):
        with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
            runner.run(work())
    gc.collect()


async def test_a_file_is_duplicated_at_the_call(busybox: TestContainer, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"some bytes")
    async with rind.connect(busybox.engine.host) as client:
        web = await client.find(container=busybox.name)
        source = os.open(tmp_path / "in", os.O_RDONLY)
        sink = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        before = descriptors()
        async with web.open_process(
            ["sh", "-c", "sleep 0.3; cat"], stdin=source, stdout=sink
        ) as process:
            os.close(source)
            os.close(sink)
            # Other files have these descriptors now.
            others = [os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT) for _ in range(8)]
            assert {source, sink} <= set(others)
            assert await process.wait() == 0
        for fd in others:
            os.close(fd)
        assert (tmp_path / "out").read_bytes() == b"some bytes"
        assert (tmp_path / "other").read_bytes() == b""
        assert descriptors() <= before


async def test_wait_includes_the_output_to_a_file(busybox: TestContainer, tmp_path: Path) -> None:
    async with rind.connect(busybox.engine.host) as client:
        web = await client.find(container=busybox.name)
        for number in range(20):
            with (tmp_path / str(number)).open("wb") as file:
                async with web.open_process(
                    ["head", "-c", "1000000", "/dev/zero"], stdout=file
                ) as process:
                    assert await process.wait() == 0
            assert (tmp_path / str(number)).stat().st_size == 1_000_000


async def test_a_pipes_reader_sees_the_end(busybox: TestContainer) -> None:
    reading, writing = os.pipe()
    async with rind.connect(busybox.engine.host) as client:
        web = await client.find(container=busybox.name)
        async with web.open_process(["echo", "x"], stdout=writing) as process:
            os.close(writing)
            assert await asyncio.to_thread(os.read, reading, 9) == b"x\n"
            assert await asyncio.to_thread(os.read, reading, 9) == b""
            assert await process.wait() == 0
    os.close(reading)


async def test_an_end_is_noticed_before_the_engine_forgets_it(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        web = await client.find(container=busybox.name)
        async with web.open_process(["sh", "-c", "echo x; exit 3"], stdin=rind.DEVNULL) as process:
            async with asyncio.timeout(20):
                await process._exec.has_ended.wait()
            assert await process.wait() == 3


async def test_a_cancelled_read_loses_nothing(busybox: TestContainer) -> None:
    turn = "echo $i; i=$((i+1)); [ $((i % 10)) != 0 ] || sleep 0.01"
    script = f"i=0; while [ $i -lt 300 ]; do {turn}; done"
    async with rind.connect(busybox.engine.host) as client:
        web = await client.find(container=busybox.name)
        seen = b""
        async with await web.start(rind.Command(script=script)) as process:
            while True:
                try:
                    async with asyncio.timeout(0.001):
                        part = await process.read()
                except TimeoutError:
                    continue
                if part is None:
                    break
                seen += part[1]
    assert seen.split() == [b"%d" % number for number in range(300)]


@pytest.mark.parametrize("stage", ["GET /_ping", "/containers/json", "/exec HTTP"])
async def test_a_time_limit_covers_every_stage(
    busybox: TestContainer, tmp_path: Path, stage: str
) -> None:
    never = asyncio.Event()

    def configure(proxy: FaultProxy) -> None:
        proxy.hold_starts_until, proxy.held = never, stage.encode()

    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, _):
        started = asyncio.get_running_loop().time()
        where = {"host": url, "label": busybox.label}
        with pytest.raises(rind.TimedOut, match="did not end within 0") as caught:
            await rind.run(["true"], timeout=0.5, **where)  # type: ignore[call-overload] # a dict
        assert caught.value.timeout == 0.5
        assert asyncio.get_running_loop().time() - started < 5  # far below a request's limit of 30
        never.set()


ENDINGS: dict["Ending", str] = {
    "killed": "docker kill $NAME",
    "stopped": "docker stop --time 0 $NAME",
    "removed": "docker rm --force $NAME",
    "ended": "docker exec $NAME touch /tmp/end",
    "out of memory": "docker exec $NAME touch /tmp/eat",
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_a_container_that_ends_during_a_command_is_reported(
    containers: Containers, how: "Ending"
) -> None:
    main = "while ! [ -e /tmp/end ]; do [ ! -e /tmp/eat ] || exec tail /dev/zero; sleep 0.1; done"
    target = containers(
        *("busybox", "", "--memory=20m", "--memory-swap=20m"), command=["sh", "-c", main]
    )
    async with rind.connect(target.engine.host) as client:
        found = await client.find(container=target.name)
        run = asyncio.create_task(
            found.run(script="echo begun; >/tmp/begun; exec sleep 1000", text=True)
        )
        follow = "until [ -e /tmp/begun ]; do sleep 0.1; done; echo; exec sleep 1000"
        async with found.open_process(script=follow) as process:
            await process.stdout.readline()
            words = shlex.split(ENDINGS[how].replace("$NAME", target.name))
            await asyncio.to_thread(target.engine.cli, *words[1:])
            with pytest.raises(rind.ContainerGone) as caught:
                await process.wait()
            assert (caught.value.how, process.ending, process.returncode) == (how, how, 137)
        with pytest.raises(rind.ContainerGone, match=f"its container: {target.name} ") as other:
            await run
        assert (other.value.how, other.value.stdout, other.value.stderr) == (how, "begun\n", "")
        assert other.value.started
        with pytest.raises(rind.ContainerGone, match=f"was not started: {target.name} ") as late:
            await found.run(["true"])
        assert (late.value.started, late.value.exit_status) == (False, 125)
        assert late.value.how in {how, "stopped"}
        with pytest.raises(rind.ContainerGone):
            await found.detach(rind.Command(argv=["true"], stdin=False, output=False))


async def test_a_command_killed_for_lack_of_memory_is_reported(containers: Containers) -> None:
    target = containers("busybox", "", "--memory=20m", "--memory-swap=20m")
    async with rind.connect(target.engine.host) as client:
        found = await client.find(container=target.name)
        async with found.open_process(["tail", "/dev/zero"]) as process:
            assert await process.wait() == 137
            assert process.ending == "out of memory"
    done = await asyncio.to_thread(target.rind, "tail", "/dev/zero")
    assert done.returncode == 137
    said = one_line(done.stderr)
    assert said == f"the command was killed when {target.name} ran out of memory"


async def test_ones_own_kill_is_not_reported_as_a_cause(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        found = await client.find(container=busybox.name)
        assert (await found.run(["sh", "-c", "kill -9 $$"])).returncode == 137
        async with found.open_process(["sleep", "1000"]) as process:
            await process.kill()
            assert await process.wait() == 137
            assert process.ending is None


@pytest.mark.parametrize("pre_step", [None, ":"])
@pytest.mark.parametrize(
    ("argv", "said"),
    [(["nope"], "nope: not found in the PATH"), (["/etc"], "/etc: permission denied")],
)
async def test_a_failed_start_is_the_same_error_after_a_pre_step(
    containers: Containers, pre_step: str | None, argv: list[str], said: str
) -> None:
    target = containers("busybox", pre_step)
    with pytest.raises(rind.StartError) as caught:
        await rind.run(argv, label=target.label, **target.where)
    where = f" of {target.name}" if said.endswith("PATH") else ""
    where += ", where no pre-step ran" if where and pre_step is None else ""
    assert str(caught.value) == f"cannot start the command: {said}{where}"
    # A command may exit with the same status by itself.
    assert (await rind.run(["sh", "-c", "exit 127"], **target.where)).returncode == 127


async def test_run_takes_stdin_from_a_file(busybox: TestContainer, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"from a file")
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        fd = os.open(tmp_path / "input", os.O_RDONLY)
        assert (await target.run(["cat"], stdin=fd)).stdout == b"from a file"
        os.close(fd)
        assert (await target.run(["cat"], stdin=b"bytes")).stdout == b"bytes"
        for wrong in ({"stdin": rind.PIPE}, {"stdin": b"x", "input": b"y"}):
            with pytest.raises(ValueError, match="nor be combined with input"):
                await target.run(["cat"], **wrong)


async def test_kill_after_bounds_the_clean_up(busybox: TestContainer) -> None:
    """A command's clean-up completes within kill_after, or is cut off."""
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        slow = f"trap 'sleep {KILL_AFTER + 1}; echo ended >>/tmp/said' TERM; echo ready; sleep 99 &"
        for seconds, said in ((0, b""), (30, b"ended\n")):
            async with target.open_process(script=f"{slow} wait", kill_after=seconds) as process:
                await process.stdout.readline()
            assert (await target.run(script="cat /tmp/said || :")).stdout == said


async def test_an_ended_command_can_be_checked_later(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        (await target.run(["true"])).check_returncode()
        done = await target.run(script="echo why >&2; exit 3", text=True)
        with pytest.raises(rind.CommandFailed, match="exit status 3") as caught:
            done.check_returncode()
        assert (caught.value.stderr, caught.value.container) == ("why\n", busybox.name)


async def test_every_repr_is_informative(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        assert repr(client) == f"<Client of {busybox.engine.host} (from host)>"
        target = await client.find(container=busybox.name)
        assert repr(target) == f"<Target {busybox.name} (running): named>"
        async with target.open_process(["cat"]) as process:
            said = f"{process.exec_id[:12]} in {busybox.name}"
            assert repr(process) == f"<Process {said}: running>"
            process.stdin.write_eof()
            await process.wait()
            assert repr(process) == f"<Process {said}: ended with 0>"
        async with await target.start(rind.Command(argv=["true"])) as execution:
            assert repr(execution).startswith("<Exec ")
            while await execution.read():
                pass
            await execution.wait()


async def test_wait_for_accepts_keywords(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        assert (await client.wait_for(container=busybox.name)).container.name == busybox.name
        (target,) = await client.wait_for_all(label=busybox.label)
        assert target.container.name == busybox.name


async def test_captured_text_has_a_limit(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        done = await target.run(script=r"printf 'a\r\n\374'", encoding="latin-1")
        assert done.stdout == "a\nü"
        told: list[tuple[str, str]] = []
        script = "read x; echo got $x >&2"
        await target.run(
            script=script, text=True, input="ü\n", on_output=lambda *part: told.append(part)
        )
        assert told == [("stderr", "got ü\n")]
        with pytest.raises(rind.TooMuchOutput) as caught:
            await target.run(["yes"], text=True, capture_limit=3)
        assert caught.value.stdout == "y\ny"
        assert "yes" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await target.run(["yes"], on_output=broken)
        assert "yes" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_streams_can_be_text(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        async with target.open_process(["cat"], tty=True, encoding="utf-8") as process:
            process.stdin.write("ü\n")
            assert [await process.stdout.readline() for _ in range(2)] == ["ü\n", "ü\n"]
            process.stdin.write_eof()
            assert await process.stdout.read() == ""
            assert await process.wait() == 0
        async with target.open_process(script="cat; echo €", encoding="utf-8") as process:
            assert await process.communicate("one\n") == ("one\n€\n", "")
        async with target.open_process(["printf", r"\377"], encoding="utf-8") as process:
            with pytest.raises(UnicodeDecodeError):
                await process.communicate()


async def test_files_and_trees_are_removed(target: rind.Target) -> None:
    make = (
        "mkdir -p /tmp/gone/a && cd /tmp/gone && touch a/b -- -rf && ln -s a link && chmod 0 -- -rf"
    )
    await target.run(script=make, check=True)
    for path in (Path("/tmp/gone/-rf"), "/tmp/gone/link"):
        await target.remove(path)
        await target.remove(path, missing_ok=True)
    for path, why in (("/tmp/gone/link", "No such file"), ("/tmp/gone/a", "irectory")):
        with pytest.raises(rind.CommandFailed) as caught:
            await target.remove(path)
        assert why in str(caught.value.stderr)
        assert caught.value.__notes__ == [str(caught.value.stderr).strip()]
    assert (await target.run(["find", "/tmp/gone"], text=True)).stdout.count("\n") == 3
    await target.remove("/tmp/gone", recursive=True)
    assert (await target.run(["ls", "/tmp/gone"])).returncode == 1
    for path in ("", "/", "//", "/tmp/..", "tmp", "."):
        with pytest.raises(rind.UsageError, match="cannot remove"):
            await target.remove(path, recursive=True, missing_ok=True)


async def test_removing_without_rm_is_a_start_error(distroless: TestContainer) -> None:
    async with rind.connect(distroless.engine.host) as client:
        target = await client.find(container=distroless.name)
        with pytest.raises(rind.StartError, match="rm: not found"):
            await target.remove("/etc/passwd")
