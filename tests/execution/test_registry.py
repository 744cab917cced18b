"""The registry alone; what closing a client ends is in test_client.py."""

import asyncio

from rind.execution.tasks import Registry


class Command:
    """A command that is closed, or fails to be."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True
        if self.failure is not None:
            raise self.failure


async def test_one_that_fails_to_close_leaves_no_other_open() -> None:
    registry = Registry()
    first, second = Command(ZeroDivisionError()), Command()
    registry.open |= {first, second}
    await registry.aclose()
    assert first.closed
    assert second.closed


async def test_what_is_being_started_is_waited_for() -> None:
    registry, command = Registry(), Command()

    async def start() -> Command:
        await asyncio.sleep(0)
        registry.open.add(command)
        return command

    registry.opening.add(asyncio.create_task(start()))
    await registry.aclose()
    assert command.closed
