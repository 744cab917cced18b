"""Connects our own stdin, stdout, stderr and terminal to a running command."""

import asyncio
import errno
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from rind.errors import Broken, ExitStatus
from rind.execution.exec import Exec
from rind.terminal.descriptors import Sink, Source
from rind.terminal.detach_keys import DetachKeys
from rind.terminal.screen_modes import TerminalModes
from rind.terminal.standard import STDERR_FD, STDIN_FD, STDOUT_FD, local_window_size
from rind.terminal.tty import RawMode, in_foreground, is_terminal, raw_mode, signals_handled
from rind.transport.frames import STDERR, STDOUT

__all__ = ["attach_terminal"]


async def attach_terminal(
    process: Exec, *, stdin: bool = True, detach_keys: bytes = b""
) -> int | None:
    """Move bytes and window sizes both ways until the command ends.

        async with await web.start(rind.Command(tty=True)) as process:
            status = await rind.attach_terminal(process)

    Args:
        process: just started; it is read and written until its end.
        stdin: whether the command's stdin is attached, and is fed from ours.
        detach_keys: with a TTY, the bytes that detach when typed; empty for none.

    Returns:
        The exit status; None if the detach keys were typed.

    Raises:
        BrokenPipeError: the reader of our stdout or stderr has closed it.
        StartError, EngineError: as :meth:`Exec.read` and :meth:`Exec.wait`.
    """
    modes = TerminalModes()
    try:
        if await _pump(process, stdin=stdin, keys=DetachKeys(detach_keys), modes=modes):
            return None
        # From here on, keys belong to the shell, even if the status takes a while.
        status = await process.wait()
    except BaseException:
        _undo(modes)
        raise
    if status > ExitStatus.SIGNALLED:
        _undo(modes)
    return status


async def _pump(process: Exec, *, stdin: bool, keys: DetachKeys, modes: TerminalModes) -> bool:
    """Run the pumps until the output ends; return whether the detach keys ended them."""
    with ExitStack() as resources:
        raw = None
        if process.tty and stdin and is_terminal(STDIN_FD):
            raw = resources.enter_context(raw_mode(STDIN_FD))
        sinks = _Output(modes if process.tty and is_terminal(STDOUT_FD) else None)
        output = asyncio.create_task(_copy_output(process, sinks))
        tasks = {output, asyncio.create_task(_end_unheard(process, sinks))}
        if stdin:
            # With a TTY, job control may stop us as it stops any program on a terminal.
            source = Source(STDIN_FD, wait_for_foreground=not process.tty)
            resources.callback(source.close)
            tasks.add(asyncio.create_task(_feed(source, process, keys)))
        if process.tty:
            tasks.add(asyncio.create_task(_follow_terminal(process, raw)))
        left = set(tasks)
        try:
            while not (output.done() or keys.seen):
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return keys.seen


async def _feed(source: Source, process: Exec, keys: DetachKeys) -> None:
    # If the command takes no more input, its end is about to show on the output.
    with suppress(Broken):
        inward = process.inward
        if not process.tty and inward is None and (fd := source.spliceable) is not None:
            await process.write_from(fd)  # what it leaves is read below
        rest = b""

        def send(typed: bytes) -> bool:
            nonlocal rest
            if inward is not None:
                typed = inward.feed(typed)
            rest = process.write_at_once(keys.feed(typed) if process.tty else typed)
            return not (rest or keys.seen)

        while True:
            await source.hand_on(send)
            if not (rest or keys.seen):
                typed = await source.read()
                if not typed:
                    break
                send(typed)
            if rest:
                await process.write(rest)
            if keys.seen:
                return
            rest = b""
        if inward is not None:
            inward.close()
        await process.send_eof()


class _Output:
    """Our stdout and stderr, for parts of a command's output in their order.

    Of two, one that fails is no reason to lose what is for the other.

    Attributes:
        failure: the first one of a stream that was open.
        is_unheard: is set once stdout has failed.
    """

    def __init__(self, modes: TerminalModes | None) -> None:
        self.failure: OSError | None = None
        self.is_unheard = asyncio.Event()
        self._modes = modes
        self._sinks = {STDOUT: Sink(STDOUT_FD), STDERR: Sink(STDERR_FD)}
        self._failed: set[int] = set()
        self._left: list[tuple[int, list[memoryview]]] = []

    def take(self, parts: list[tuple[int, memoryview]]) -> bool:
        """Write what is taken at once; whether that was all. :meth:`flush` writes the rest."""
        for stream, data in _together(parts):
            if self._modes is not None:
                self._modes.feed(b"".join(data))
            if stream in self._failed:
                continue
            try:
                if self._left or not self._sinks[stream].write_at_once(data):
                    self._left.append((stream, data))
            except OSError as exc:
                self._fail(stream, exc)
        return not self._left

    async def flush(self) -> None:
        """Write what is left."""
        left, self._left = self._left, []
        for stream, data in left:
            if stream not in self._failed:
                try:
                    await self._sinks[stream].write(*data)
                except OSError as exc:
                    self._fail(stream, exc)

    def close(self) -> None:
        """Close what was opened for them."""
        for sink in self._sinks.values():
            sink.close()

    def _fail(self, stream: int, exc: OSError) -> None:
        self._failed.add(stream)
        if exc.errno == errno.EBADF:
            return  # it was closed before Rind began
        self.failure = self.failure or exc
        if stream == STDOUT:
            self.is_unheard.set()


async def _copy_output(process: Exec, output: _Output) -> None:
    """Write the command's output to its end.

    Raises:
        OSError: some of it could not be written; all else was.
    """
    try:
        while (parts := await process.read_all()) is not None:
            output.take(parts)
            await output.flush()
            await process.hand_on(output.take)
            await output.flush()
    finally:
        output.close()
    if output.failure is not None:
        raise output.failure


async def _end_unheard(process: Exec, output: _Output) -> None:
    """End the command once its stdout cannot be written, as a local one would mostly end.

    What it says about that on its stderr is still written.
    """
    await output.is_unheard.wait()
    await process.end(signal.SIGTERM, process.leaving.kill_after)


def _together(
    parts: list[tuple[int, memoryview]],
) -> Iterator[tuple[int, list[memoryview]]]:
    """Yield parts that follow each other on the same stream together."""
    at = 0
    while at < len(parts):
        first, stream = at, parts[at][0]
        while at < len(parts) and parts[at][0] == stream:
            at += 1
        yield stream, [part for _, part in parts[first:at]]


async def _follow_terminal(process: Exec, raw: RawMode | None) -> None:
    """Forward window sizes, and restore the terminal while we are stopped."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def stop() -> None:
        if raw is not None:
            raw.suspend()
        # Stop by the signal's default action: the shell sees which signal it was.
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)
        go_on()

    def go_on() -> None:
        if raw is not None and in_foreground(STDIN_FD):
            raw.resume()
        changed.set()

    handlers = {signal.SIGWINCH: changed.set, signal.SIGTSTP: stop, signal.SIGCONT: go_on}
    with signals_handled(loop, handlers):
        # The size may have changed since the start.
        changed.set()
        while True:
            await changed.wait()
            changed.clear()
            size = local_window_size()
            if size is not None and size != process.size:
                await process.resize(size)


def _undo(modes: TerminalModes) -> None:
    """Reset the screen modes that a killed program has left on."""
    if (sequence := modes.undo()) and is_terminal(STDOUT_FD):
        # The terminal may be gone, and the program with it.
        with suppress(OSError):
            os.write(STDOUT_FD, sequence)
