"""Joins our own stdin, stdout, stderr and terminal to a running command."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from typing import Final

from rind.errors import Broken
from rind.frames import STDERR
from rind.local import Sink, Source
from rind.process import Process
from rind.terminal import is_terminal, raw_mode, window_size

__all__ = ["STDERR_FD", "STDIN_FD", "STDOUT_FD", "attach", "local_window_size"]

STDIN_FD: Final = 0
STDOUT_FD: Final = 1
STDERR_FD: Final = 2

END_OF_TRANSMISSION: Final = b"\x04"
"""Ctrl-D, a terminal's default VEOF character: it ends the input of a program in cooked mode."""


def local_window_size() -> tuple[int, int] | None:
    """Return the local terminal's (rows, columns), whichever stream it is on."""
    return window_size(STDOUT_FD, STDIN_FD, STDERR_FD)


async def attach(process: Process, *, stdin: bool) -> int:
    """Move bytes and window sizes both ways until the command ends; return its exit status.

    Args:
        process: just started; its streams are used up.
        stdin: whether the command's stdin was attached and is to be fed from ours.

    Raises:
        BrokenPipeError: the reader of our stdout or stderr went away.
        StartError, EngineError: as :meth:`Process.read` and :meth:`Process.wait`.
    """
    with ExitStack() as resources:
        helpers: list[Coroutine[None, None, None]] = []
        if process.tty:
            helpers.append(_follow_size(process))
        if stdin:
            source = Source(STDIN_FD)
            resources.callback(source.close)
            if process.tty and is_terminal(STDIN_FD):
                resources.enter_context(raw_mode(STDIN_FD))
            helpers.append(_feed(source, process))
        async with _Companions(helpers):
            await _copy_output(process)
        # From here on, keys belong to the shell again, even where the status takes a while.
    return await process.wait()


class _Companions:
    """Tasks that serve a main one: cancelled when it ends, their errors raised in it."""

    def __init__(self, coroutines: list[Coroutine[None, None, None]]) -> None:
        self._coroutines = coroutines
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(it) for it in self._coroutines]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def _feed(source: Source, process: Process) -> None:
    at_line_start = True
    # Where the command takes no more, its end is about to be seen on the output.
    with suppress(Broken):
        while data := await source.read():
            await process.write(data)
            at_line_start = data.endswith(b"\n")
        if process.tty:
            # As ssh -tt does it. In the middle of a line, the first one only ends the line's read.
            await process.write(END_OF_TRANSMISSION * (1 if at_line_start else 2))
        else:
            process.send_eof()


async def _copy_output(process: Process) -> None:
    stdout, stderr = Sink(STDOUT_FD), Sink(STDERR_FD)
    try:
        while (part := await process.read()) is not None:
            stream, data = part
            await (stderr if stream == STDERR else stdout).write(data)
    finally:
        stdout.close()
        stderr.close()


async def _follow_size(process: Process) -> None:
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    try:
        while True:
            await changed.wait()
            changed.clear()
            if size := local_window_size():
                await process.resize(size)
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
