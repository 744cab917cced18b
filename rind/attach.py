"""Connects our own stdin, stdout, stderr and terminal to a running command.

Goal: at a terminal and in a pipeline, a command in a container behaves as a local one does.

Plan: tasks that run at the same time, until the output ends or the detach keys are typed.

* One pump moves the command's output to our stdout and stderr, another our stdin to the command.
  Each first tries ``hand_on``, which moves bytes within the event loop's callbacks. Where that
  would block, it awaits the write: a slow reader of our stdout thus slows the command down.
* One task ends the command once our stdout cannot be written, as SIGPIPE would end a local one.
* With a TTY, one task forwards the window size, and restores the terminal while we are stopped.
* The local terminal is in raw mode only while these tasks run. The screen modes that the command
  has set are followed in its output, and reset only if it was killed or we fail: a program that
  exits by itself resets its own.

Doubts: we cannot know whether the command reads its stdin. So bytes that it never reads are taken
from our stdin too.
"""

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
    """Connect our standard streams and terminal to a command, until it ends.

        async with await web.start(rind.Command(tty=True)) as process:
            status = await rind.attach_terminal(process)

    Args:
        process: a command that was just started; this call reads and writes it until its end.
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
        # The terminal is restored by now: keys belong to the shell, even if the status takes long.
        status = await process.wait()
    except BaseException:
        _undo(modes)
        raise
    if status > ExitStatus.SIGNALLED:
        _undo(modes)
    return status


async def _pump(process: Exec, *, stdin: bool, keys: DetachKeys, modes: TerminalModes) -> bool:
    """Run the pumps until the output ends; return whether the detach keys were typed."""
    with ExitStack() as resources:
        raw = None
        if process.tty and stdin and is_terminal(STDIN_FD):
            raw = resources.enter_context(raw_mode(STDIN_FD))
        sinks = _Output(modes if process.tty and is_terminal(STDOUT_FD) else None)
        output = asyncio.create_task(_copy_output(process, sinks))
        tasks = {output, asyncio.create_task(_end_on_closed_stdout(process, sinks))}
        if stdin:
            # With a TTY, reading in the background stops us, as it stops any local program.
            source = Source(STDIN_FD, wait_for_foreground=not process.tty)
            resources.callback(source.close)
            tasks.add(asyncio.create_task(_feed(source, process, keys)))
        if process.tty:
            tasks.add(asyncio.create_task(_follow_terminal(process, raw)))
        pending = set(tasks)
        try:
            while not (output.done() or keys.seen):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return keys.seen


async def _feed(source: Source, process: Exec, keys: DetachKeys) -> None:
    """Move our stdin to the command's, until its end or the detach keys."""
    # Broken: the command takes no more input. The output pump is about to see its end.
    with suppress(Broken):
        inward = process.inward
        if not process.tty and inward is None and (fd := source.spliceable) is not None:
            await process.write_from(fd)  # the loop below sends the bytes that this cannot
        rest = b""

        def send(data: bytes) -> bool:
            nonlocal rest
            if inward is not None:
                data = inward.feed(data)
            rest = process.write_at_once(keys.feed(data) if process.tty else data)
            return not (rest or keys.seen)

        while True:
            await source.hand_on(send)
            if not (rest or keys.seen):
                data = await source.read()
                if not data:
                    break
                send(data)
            if rest:
                await process.write(rest)
            if keys.seen:
                return
            rest = b""
        if inward is not None:
            inward.close()
        await process.send_eof()


class _Output:
    """Our stdout and stderr. Parts of a command's output are written in their order.

    If writing to one of them fails, its output is dropped, and the other is still written.

    Attributes:
        failure: the first error of a stream that was open when Rind began.
        stdout_failed: set once stdout cannot be written.
    """

    def __init__(self, modes: TerminalModes | None) -> None:
        self.failure: OSError | None = None
        self.stdout_failed = asyncio.Event()
        self._modes = modes
        self._sinks = {STDOUT: Sink(STDOUT_FD), STDERR: Sink(STDERR_FD)}
        self._failed: set[int] = set()
        self._left: list[tuple[int, list[memoryview]]] = []

    def take(self, parts: list[tuple[int, memoryview]]) -> bool:
        """Write as much as is possible without blocking; return whether it was everything.

        :meth:`flush` writes the rest.
        """
        for stream, data in _grouped(parts):
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
        """Write the parts that :meth:`take` has not written."""
        left, self._left = self._left, []
        for stream, data in left:
            if stream not in self._failed:
                try:
                    await self._sinks[stream].write(*data)
                except OSError as exc:
                    self._fail(stream, exc)

    def close(self) -> None:
        """Close the descriptors that the sinks have opened; ours stay open."""
        for sink in self._sinks.values():
            sink.close()

    def _fail(self, stream: int, exc: OSError) -> None:
        self._failed.add(stream)
        if exc.errno == errno.EBADF:
            return  # the stream was closed before Rind began
        self.failure = self.failure or exc
        if stream == STDOUT:
            self.stdout_failed.set()


async def _copy_output(process: Exec, output: _Output) -> None:
    """Write all of the command's output to our stdout and stderr.

    Raises:
        OSError: one of them could not be written; the other was written to the end.
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


async def _end_on_closed_stdout(process: Exec, output: _Output) -> None:
    """End the command once our stdout cannot be written, as most local commands would end then.

    Its last messages on stderr are still written.
    """
    await output.stdout_failed.wait()
    await process.end(signal.SIGTERM, process.leaving.kill_after)


def _grouped(
    parts: list[tuple[int, memoryview]],
) -> Iterator[tuple[int, list[memoryview]]]:
    """Yield each run of consecutive parts of the same stream, as one write can take them."""
    at = 0
    while at < len(parts):
        first, stream = at, parts[at][0]
        while at < len(parts) and parts[at][0] == stream:
            at += 1
        yield stream, [part for _, part in parts[first:at]]


async def _follow_terminal(process: Exec, raw: RawMode | None) -> None:
    """Forward window sizes to the command, and restore the terminal while we are stopped."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def stop() -> None:
        if raw is not None:
            raw.suspend()
        # Stop by the signal's default action: so the shell sees which signal stopped us.
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        resume()

    def resume() -> None:
        if raw is not None and in_foreground(STDIN_FD):
            raw.resume()
        changed.set()

    handlers = {signal.SIGWINCH: changed.set, signal.SIGTSTP: stop, signal.SIGCONT: resume}
    with signals_handled(loop, handlers):
        # The size may have changed since the command was started.
        changed.set()
        while True:
            await changed.wait()
            changed.clear()
            size = local_window_size()
            if size is not None and size != process.size:
                await process.resize(size)


def _undo(modes: TerminalModes) -> None:
    """Reset the screen modes that a killed program has left changed."""
    if (sequence := modes.undo()) and is_terminal(STDOUT_FD):
        # The terminal may have hung up, which also killed the program.
        with suppress(OSError):
            os.write(STDOUT_FD, sequence)
