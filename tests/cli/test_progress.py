"""The line that says how many have ended; on a real terminal it is in test_fanout."""

import asyncio
import os

import pytest

from rind.cli import progress
from rind.cli.progress import Progress


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    said: list[bytes] = []
    monkeypatch.setattr(progress, "_QUIET", 0)
    monkeypatch.setattr(os, "write", lambda _, data: said.append(data))
    return said


async def test_it_comes_and_goes(written: list[bytes]) -> None:
    shown = Progress(3, shown=True)
    shown.begin()
    await asyncio.sleep(0.01)
    shown.count()
    shown.make_way()
    shown.make_way()
    erase = b"\r\x1b[K"
    said = [erase + b"rind: %d of 3 have ended" % number for number in (0, 1)]
    assert written == [*said, erase]
    shown.begin()
    shown.stop()
    shown.begin()
    await asyncio.sleep(0.01)
    assert written == [*said, erase]


async def test_it_is_not_shown_unless_asked_for(written: list[bytes]) -> None:
    hidden = Progress(3, shown=False)
    hidden.begin()
    await asyncio.sleep(0.01)
    hidden.count()
    hidden.stop()
    assert written == []
