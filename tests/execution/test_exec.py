import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Literal

import pytest
from conftest import TestContainer

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Broken, Lost, StartError
from rind.execution.exec import Exec, Leaving
from rind.execution.receiver import Receiver
from rind.execution.session import Session
from rind.execution.start import open_exec
from rind.model import ExecConfig
from rind.reaper.leash import Loss
from rind.reaper.tree import Tree
from rind.transport.frames import STDERR, STDOUT

Start = Callable[..., Awaitable[Exec]]


@pytest.fixture
async def start(busybox: TestContainer) -> AsyncIterator[Start]:
    async with (
        AsyncExitStack() as processes,
        Engine(Endpoint(busybox.engine.host, "the test")) as engine,
    ):
        container = await engine.container(busybox.name)

        async def start(*argv: str, tty: bool = False, size: tuple[int, int] | None = None) -> Exec:
            process = await open_exec(
                Session(engine), container, ExecConfig(argv=argv, tty=tty), size
            )
            return await processes.enter_async_context(process)

        yield start
        await processes.aclose()


async def output(process: Exec) -> dict[int, bytes]:
    seen = {STDOUT: b"", STDERR: b""}
    while (part := await process.read()) is not None:
        seen[part[0]] += part[1]
    return seen


async def test_output_and_status_are_received(start: Start) -> None:
    process = await start("sh", "-c", "echo out; echo err >&2; exit 6")
    assert await output(process) == {STDOUT: b"out\n", STDERR: b"err\n"}
    assert await process.wait() == 6
    assert await process.wait() == 6
    assert await process.read() is None


async def test_a_silent_engine_found_by_the_leash_ends_the_wait(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(_tree: Tree, _requested: float, on_loss: Callable[[Loss], None]) -> None:
        loss = Loss("it does not answer", is_silence=True)
        asyncio.get_running_loop().call_soon(on_loss, loss)

    monkeypatch.setattr(Tree, "keep_leashed", at_once)
    process = await start("sleep", "1000")
    with pytest.raises(Lost, match="broke: it does not answer any more: the command may"):
        await process.read()
    with pytest.raises(Broken):
        await process.write(b"x")


async def test_stdin_and_its_end_arrive(start: Start) -> None:
    async with await start("cat") as process:
        await process.write(b"some bytes")
        assert await process.read() == (STDOUT, b"some bytes")
        await process.send_eof()
        await process.send_eof()
        assert await process.read() is None
        assert await process.wait() == 0


async def test_sending_eof_to_a_tty_drops_no_output(start: Start) -> None:
    process = await start("sh", "-c", "cat >/dev/null; echo that was all", tty=True)
    await process.write(b"line")
    await process.send_eof()
    assert b"that was all\r\n" in (await output(process))[STDOUT]
    assert await process.wait() == 0


async def test_a_resize_arrives_and_a_late_one_is_ignored(start: Start) -> None:
    process = await start("sh", "-c", "read x; stty size", tty=True, size=(24, 80))
    await process.resize((33, 44))
    await process.write(b"\r")
    assert b"33 44" in (await output(process))[STDOUT]
    assert await process.wait() == 0
    await process.resize((50, 60))


@pytest.mark.parametrize("tty", [False, True])
async def test_a_missing_command_is_a_start_error(start: Start, tty: bool) -> None:  # noqa: FBT001 # a case
    process = await start("nope", tty=tty, size=(24, 80) if tty else None)
    with pytest.raises(StartError, match="nope") as caught:
        await output(process)
    assert caught.value.exit_status == 127
    with pytest.raises(StartError):
        await process.wait()


@pytest.mark.parametrize("tty", [False, True])
async def test_a_late_reader_gets_the_start_error(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    tty: bool,  # noqa: FBT001 # a case
) -> None:
    save_the_rest, saved = Receiver.save_the_rest, asyncio.Event()

    async def save_and_note(receiver: Receiver) -> None:
        await save_the_rest(receiver)
        saved.set()

    monkeypatch.setattr(Receiver, "save_the_rest", save_and_note)
    process = await start("nope", tty=tty)
    await saved.wait()
    with pytest.raises(StartError, match="nope"):
        await output(process)


async def test_a_command_that_closes_its_output_is_waited_for(start: Start) -> None:
    process = await start("sh", "-c", "exec >&- 2>&-; read x <&0; exit 3")
    waiting = asyncio.create_task(process.wait())
    await asyncio.sleep(0)
    await process.write(b"\n")
    assert await process.read() is None
    assert await waiting == 3


@pytest.mark.newest_engine
async def test_many_commands_run_concurrently(start: Start) -> None:
    async def one(number: int) -> bool:
        process = await start("sh", "-c", f"cat; exit {number}")
        await process.write(f"number {number}".encode())
        await process.send_eof()
        seen = await output(process)
        return seen[STDOUT] == f"number {number}".encode() and await process.wait() == number

    assert all(await asyncio.gather(*map(one, range(40))))


@pytest.mark.parametrize("how", [asyncio.CancelledError, ZeroDivisionError])
async def test_leaving_with_an_exception_ends_the_tree(
    busybox: TestContainer, how: type[BaseException]
) -> None:
    mark = "616161"
    script = f"trap '' HUP INT TERM; sleep {mark} & setsid sleep {mark} & echo ready; wait; wait"

    def is_running() -> bool:
        return mark in busybox.engine.cli("top", busybox.name)

    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        with pytest.raises(how):  # noqa: PT012 # it is the leaving that is tested
            async with await open_exec(
                Session(engine), container, ExecConfig(argv=["sh", "-c", script])
            ) as process:
                assert await process.read() == (STDOUT, b"ready\n")
                assert await asyncio.to_thread(is_running)
                raise how
    assert not await asyncio.to_thread(is_running)
    assert process.left_running is None


@pytest.mark.parametrize("on_exit", ["kill", "detach"])
async def test_leaving_normally_ends_the_command_unless_detached(
    busybox: TestContainer, on_exit: Literal["kill", "detach"]
) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        config = ExecConfig(argv=["sh", "-c", "echo ready; sleep 626262"])
        leaving = Leaving(on_exit)
        async with await open_exec(Session(engine), container, config, leaving=leaving) as process:
            assert await process.read() == (STDOUT, b"ready\n")
        runs = "626262" in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)
        assert runs == (on_exit == "detach")
        await process.end(9, 0)
    assert "626262" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_leaving_without_a_wait_spares_a_background_child(
    busybox: TestContainer,
) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        config = ExecConfig(argv=["sh", "-c", "sleep 636363 >/dev/null 2>&1 &"])
        async with await open_exec(Session(engine), container, config) as process:
            assert await process.read() is None
        assert "636363" in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)
        await process.end(9, 0)


async def test_leaving_ends_a_busy_writer_on_a_terminal(busybox: TestContainer) -> None:
    """20.10 may report that such a command has ended once its stream is closed."""
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        script = "trap '' PIPE; sleep 666666 & while echo y; do :; done; wait"

        async def one() -> None:
            config = ExecConfig(argv=["sh", "-c", script], tty=True, stdin=False)
            async with await open_exec(Session(engine), container, config) as process:
                assert await process.read() is not None
                raise ZeroDivisionError

        for _ in range(4):
            await asyncio.gather(*(one() for _ in range(4)), return_exceptions=True)
        assert "666666" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


@pytest.mark.parametrize("tty", [False, True])
async def test_a_status_of_126_is_trusted_if_only_a_child_is_left(
    start: Start,
    busybox: TestContainer,
    tty: bool,  # noqa: FBT001 # a case
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"trap '' HUP; sleep {mark} >/dev/null 2>&1 </dev/null & exit 126"
    process = await start("sh", "-c", script, tty=tty)
    assert (await output(process))[STDOUT] == b""
    assert await process.wait() == 126
    assert mark in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)
    await process.end(9, 0)


@pytest.mark.parametrize("size", [(-1, 5), (1, "x"), (70000, 1), (1,), (1, 2, 3), (1.5, 2), ()])
async def test_an_invalid_size_is_rejected(start: Start, size: tuple[int, int]) -> None:
    process = await start("cat", tty=True)
    with pytest.raises(ValueError, match="a window size is"):
        await process.resize(size)
    with pytest.raises(ValueError, match="a window size is"):
        await start("true", tty=True, size=size)


async def test_a_command_without_a_tty_cannot_be_resized(start: Start) -> None:
    process = await start("cat")
    with pytest.raises(ValueError, match="no TTY to resize"):
        await process.resize((24, 80))


@pytest.mark.parametrize("number", [0, -1, 65, 99, None, "TERM"])
async def test_an_invalid_signal_is_rejected(start: Start, number: int) -> None:
    process = await start("cat")
    with pytest.raises(ValueError, match="there is no signal"):
        await process.send_signal(number)


async def test_a_signal_right_after_the_start_arrives(start: Start) -> None:
    """The engine starts the command only after its answer."""

    async def one() -> int:
        process = await start("sleep", "1000")
        await process.send_signal(signal.SIGTERM)
        while await process.read() is not None:
            pass
        return await process.wait()

    assert await asyncio.gather(*(one() for _ in range(8))) == [143] * 8
