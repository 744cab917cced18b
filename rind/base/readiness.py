"""Waits in the event loop until a descriptor can be read or written."""

import asyncio
from collections.abc import Callable

__all__ = ["pump", "readable", "writable"]


async def readable(fd: int) -> None:
    """Return when ``fd`` can be read, without reading from it.

    Raises:
        PermissionError: ``fd`` is always ready, as a regular file is (epoll_ctl(2), EPERM).
    """
    loop = asyncio.get_running_loop()
    await _ready(fd, loop.add_reader, loop.remove_reader)


async def writable(fd: int) -> None:
    """Return when ``fd`` can be written.

    Raises:
        PermissionError: as :func:`readable`.
    """
    loop = asyncio.get_running_loop()
    await _ready(fd, loop.add_writer, loop.remove_writer)


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


async def _ready(fd: int, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(fd, _settle, ready)
    try:
        await ready
    finally:
        remove(fd)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
