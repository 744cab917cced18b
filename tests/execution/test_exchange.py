import pytest
from streams import put

from rind.errors import Broken
from rind.execution.capture import exchange
from rind.execution.outputs import Pipe
from rind.execution.stdin import StdinWriter


async def test_input_and_output_run_concurrently() -> None:
    pipe = Pipe(limit=2)

    async def echo(data: bytes) -> None:
        await put(pipe, data)

    async def end() -> None:
        pipe.close()

    stdin = StdinWriter(echo, end)
    seen: list[bytes] = []
    await exchange(stdin, b"much" * 1000, {pipe.reader: seen.append, None: print})
    assert b"".join(seen) == b"much" * 1000


async def test_a_failed_output_is_reported_by_the_wait() -> None:
    pipe = Pipe()
    await put(pipe, b"some")
    pipe.close(Broken("cut"))
    seen: list[bytes] = []
    await exchange(None, None, {pipe.reader: seen.append})
    assert seen == [b"some"]


async def test_an_exception_of_a_taker_ends_the_exchange() -> None:
    pipe, endless = Pipe(), Pipe()
    await put(pipe, b"x")

    def refuse(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await exchange(None, None, {pipe.reader: refuse, endless.reader: print})
