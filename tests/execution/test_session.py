"""The commands that a session holds; test_client.py closes clients with real ones."""

import asyncio

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.execution.session import Session


def engine() -> Engine:
    return Engine(Endpoint("unix:///nowhere", "the test"))


class Command:
    """A command whose close succeeds or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True
        if self.failure is not None:
            raise self.failure


async def test_a_failing_close_does_not_prevent_the_others() -> None:
    session = Session(engine())
    first, second = Command(ZeroDivisionError()), Command()
    session.open |= {first, second}
    await session.end_commands()
    assert first.closed
    assert second.closed


async def test_closing_waits_for_commands_being_started() -> None:
    session, command = Session(engine()), Command()

    async def start() -> Command:
        await asyncio.sleep(0)
        session.open.add(command)
        return command

    session.opening.add(asyncio.create_task(start()))
    await session.end_commands()
    assert command.closed
