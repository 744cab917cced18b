"""The progress line without a terminal; test_fanout.py tests it on a real one."""

import asyncio
import os

import pytest

from rind.cli.running import progress
from rind.cli.running.progress import Progress

ERASE = b"\r\x1b[K"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    said: list[bytes] = []
    monkeypatch.setattr(progress, "_QUIET", 0)
    monkeypatch.setattr(os, "write", lambda _, data: said.append(data))
    return said


async def until_quiet() -> None:
    """Return when a timer has fired that was set after all others."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0, over.set)
    await over.wait()


async def test_the_line_is_shown_updated_and_erased(written: list[bytes]) -> None:
    shown = Progress(3, shown=True)
    shown.begin()
    await until_quiet()
    shown.count()
    shown.make_way()
    shown.make_way()
    said = [ERASE + b"rind: %d of 3 have ended" % number for number in (0, 1)]
    assert written == [*said, ERASE]
    shown.begin()
    shown.stop()
    shown.begin()
    await until_quiet()
    assert written == [*said, ERASE]


async def test_a_hidden_line_is_never_shown(written: list[bytes]) -> None:
    hidden = Progress(3, shown=False)
    hidden.begin()
    await until_quiet()
    hidden.count()
    hidden.stop()
    assert written == []
