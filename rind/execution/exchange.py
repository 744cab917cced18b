"""Sends a command all of its input while all of its output is read."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from rind.errors import RindError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["exchange"]

_AT_ONCE: Final = 64 * 1024
"""Bytes, or characters, to read at once."""


async def exchange(stdin: Any, data: Any, takers: Mapping[Any, Callable[[Any], object]]) -> None:
    """Send ``data`` and the end of stdin, and hand on what is read, until the end of all of it.

    A failure of the command, or of its connection, is left to who waits for the command.

    Args:
        stdin: a writer; None for none.
        data: what it takes.
        takers: what gets each part of the output, by the readers; None is no reader.

    Raises:
        Exception: what a taker or a reader raises.
    """
    try:
        async with asyncio.TaskGroup() as group:
            if stdin is not None:
                group.create_task(_send(stdin, data))
            for reader, take in takers.items():
                if reader is not None:
                    group.create_task(_collect(reader, take))
    except ExceptionGroup as wrong:
        # As it would be raised without tasks.
        raise wrong.exceptions[0] from None


async def _send(writer: Any, data: Any) -> None:
    # A command need not read its stdin.
    with suppress(BrokenPipeError):
        if data and not writer.is_closing():
            writer.write(data)
        writer.write_eof()
        await writer.wait_closed()


async def _collect(reader: Any, take: Callable[[Any], object]) -> None:
    while True:
        try:
            data = await reader.read(_AT_ONCE)
        except (RindError, OSError):
            return
        if not data:
            return
        take(data)
