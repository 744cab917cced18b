import pytest
from streams import put

from rind.errors import Broken
from rind.execution.capture import exchange
from rind.execution.outputs import Pipe
from rind.execution.stdin import StdinWriter


async def test_input_and_output_at_once() -> None:
    pipe = Pipe(limit=2)

    async def echo(data: bytes) -> None:
        await put(pipe, data)

    async def end() -> None:
        pipe.close()

    stdin = StdinWriter(echo, end)
    seen: list[bytes] = []
    await exchange(stdin, b"much" * 1000, {pipe.reader: seen.append, None: print})
    assert b"".join(seen) == b"much" * 1000


async def test_a_failure_of_the_output_is_left_to_who_waits() -> None:
    pipe = Pipe()
    await put(pipe, b"some")
    pipe.close(Broken("cut"))
    seen: list[bytes] = []
    await exchange(None, None, {pipe.reader: seen.append})
    assert seen == [b"some"]


async def test_what_a_taker_raises_ends_it() -> None:
    pipe, endless = Pipe(), Pipe()
    await put(pipe, b"x")

    def refuse(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await exchange(None, None, {pipe.reader: refuse, endless.reader: print})
