"""Waiting, without an engine; test_transports.py and cli/running have real ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from rind.errors import Broken, SelectionError
from rind.find.elsewhere import NoWayError
from rind.find.waiting import until_fit
from rind.model import Container
from rind.target import Target

Find = Callable[[], Awaitable[list[Target]]]


class Events:
    """Events that a test sends."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[BaseException | None] = asyncio.Queue()
        self.listeners = 0

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[AsyncIterator[None]]:
        self.listeners += 1
        events = self._events()
        yield events
        await events.aclose()
        self.listeners -= 1

    async def _events(self) -> Any:
        while True:
            if (failure := await self.queue.get()) is not None:
                raise failure
            yield


class Finds:
    """Returns scripted results, and repeats the last one."""

    def __init__(self, *found: str | None) -> None:
        self.found = [*found]
        self.times = 0

    async def __call__(self) -> list[Target]:
        self.times += 1
        status = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if status is None:
            raise SelectionError("there is none")
        container = Container("1", "web", "running", status, {})
        return [cast("Target", type("Found", (), {"container": container}))]


async def test_each_event_repeats_the_search() -> None:
    events, finds = Events(), Finds(None, "Up (health: starting)", "Up (healthy)")
    told: list[str] = []
    events.queue.put_nowait(None)
    events.queue.put_nowait(None)
    found = await until_fit(events.subscription(), finds, told.append, None)
    assert found[0].container.status == "Up (healthy)"
    assert told == ["there is none", "the container web is not healthy (health: starting)"]
    assert events.listeners == 0


async def test_the_search_is_repeated_after_a_time_and_misses_no_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rind.find.waiting.LOOK_AGAIN", 0)
    events, finds = Events(), Finds(None, None, None, "Up")

    def is_managed() -> bool:
        if finds.times < 2:
            return True
        events.queue.put_nowait(None)
        return False

    await until_fit(events.subscription(), finds, lambda _: None, None, is_managed=is_managed)
    assert (finds.times, events.listeners) == (4, 0)


async def test_a_permanent_error_is_raised_at_once() -> None:
    async def find() -> list[Target]:
        raise NoWayError("nobody says where it is")

    with pytest.raises(NoWayError):
        await until_fit(Events().subscription(), find, print, None)


async def test_an_expired_wait_raises() -> None:
    events = Events()
    with pytest.raises(SelectionError, match=r"waited for 0.01 s: there is none"):
        await until_fit(events.subscription(), Finds(None), lambda _: None, 0.01)


async def test_a_failed_event_stream_is_an_error() -> None:
    events = Events()
    events.queue.put_nowait(Broken("no more"))
    with pytest.raises(Broken, match="no more"):
        await until_fit(events.subscription(), Finds(None), lambda _: None, None)
