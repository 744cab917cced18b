"""Waits in the event loop until a descriptor can be read or written.

Not every selector accepts every descriptor. epoll rejects one that is always ready (epoll_ctl(2),
EPERM). kqueue of macOS rejects devices (EINVAL), also /dev/tty, though a terminal's own name is
accepted. select(2) accepts all, so a thread waits with it for a terminal.
"""

import asyncio
import errno
import os
import select
from collections.abc import Callable
from typing import Final

__all__ = ["pump", "readable", "writable"]


TURN: Final = 0.1
"""Seconds that a thread waits at once: it outlives a cancelled waiter by as much."""


async def readable(fd: int) -> None:
    """Return when ``fd`` can be read, without reading from it.

    Raises:
        PermissionError: ``fd`` is always ready, as /dev/zero is.
    """
    loop = asyncio.get_running_loop()
    if not await _ready(fd, loop.add_reader, loop.remove_reader):
        while not (await asyncio.to_thread(select.select, [fd], [], [], TURN))[0]:
            pass


async def writable(fd: int) -> None:
    """Return when ``fd`` can be written.

    Raises:
        PermissionError: as :func:`readable`.
    """
    loop = asyncio.get_running_loop()
    if not await _ready(fd, loop.add_writer, loop.remove_writer):
        while not (await asyncio.to_thread(select.select, [], [fd], [], TURN))[1]:
            pass


async def pump(fd: int, read: Callable[[], bytes], take: Callable[[bytes], bool]) -> None:
    """Pass bytes from ``read`` to ``take`` within the event loop's callback: no task switches.

    Returns when ``read`` returns ``b""`` or ``take`` returns False. Their exceptions propagate.

    Args:
        fd: the descriptor that ``read`` reads.
        read: reads without waiting; raises BlockingIOError if no bytes are available.
        take: receives the bytes; returns whether to go on.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def move() -> None:
        if done.done():
            return
        try:
            data = read()
        except BlockingIOError:
            return
        except BaseException as exc:  # noqa: BLE001 # it is raised below
            done.set_exception(exc)
            return
        try:
            if not data or not take(data):
                done.set_result(None)
        except BaseException as exc:  # noqa: BLE001 # as above
            done.set_exception(exc)

    loop.add_reader(fd, move)
    try:
        await done
    finally:
        loop.remove_reader(fd)


async def _ready(fd: int, add: Callable[..., object], remove: Callable[[int], object]) -> bool:
    """Wait in the event loop; return False at once if its selector rejects a terminal.

    Raises:
        PermissionError: the selector rejects anything else.
    """
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        add(fd, _settle, ready)
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        if os.isatty(fd):
            return False
        raise PermissionError(exc.errno, exc.strerror) from exc
    try:
        await ready
    finally:
        remove(fd)
    return True


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
