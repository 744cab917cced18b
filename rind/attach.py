"""Connects our own stdin, stdout, stderr and terminal to a running command.

Goal: at a terminal and in a pipeline, a command in a container behaves as a local one does.

Plan: tasks that run at the same time, until the output ends or the detach keys are typed.

* One pump moves the command's output to our stdout and stderr, another our stdin to the command.
  Each moves bytes within the event loop's callbacks first (``pump``, and ``Exec.pump``). Where
  that would block, it awaits the write: a slow reader of our stdout thus slows the command down.
* One task ends the command once our stdout cannot be written, as SIGPIPE would end a local one.
* With a TTY, one task forwards the window size, and restores the terminal while we are stopped.
* The local terminal is in raw mode only while these tasks run. The screen modes that the command
  has set are followed in its output, and reset only if it was killed or we fail: a program that
  exits by itself resets its own.

Doubts: we cannot know whether the command reads its stdin. So bytes that it never reads are taken
from our stdin too.
"""

import asyncio
import signal
from contextlib import ExitStack, suppress

from rind.errors import Broken, ExitStatus
from rind.execution.exec import Exec
from rind.execution.local import Local, Output
from rind.terminal.descriptors import Source
from rind.terminal.detach_keys import DetachKeys
from rind.terminal.escapes import SshEscapes
from rind.terminal.standard import STDIN_FD, local_window_size
from rind.terminal.tty import is_terminal, raw_mode, signals_handled

__all__ = ["attach_local", "attach_terminal"]

_REDRAW = 0.05
"""Seconds for a program to notice a window size, before it gets the next."""


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
    local = Local(tty=process.tty, detach_keys=detach_keys)
    return await attach_local(process, local, stdin=stdin)


async def attach_local(process: Exec, local: Local, *, stdin: bool) -> int | None:
    """Connect our side to a command, as :func:`attach_terminal` does."""
    try:
        if await _pump(process, local, stdin=stdin):
            return None
        # The terminal is restored by now: keys belong to the shell, even if the status takes long.
        status = await process.wait()
    except BaseException:
        local.undo_modes()
        raise
    if status > ExitStatus.SIGNALLED:
        local.undo_modes()
    return status


async def _pump(process: Exec, local: Local, *, stdin: bool) -> bool:
    """Run the pumps until the output ends; return whether the detach keys were typed."""
    with ExitStack() as resources:
        if process.tty and stdin and is_terminal(STDIN_FD):
            local.raw = resources.enter_context(raw_mode(STDIN_FD))
        output = asyncio.create_task(_copy_output(process, local.output))
        tasks = {output, asyncio.create_task(_end_on_closed_stdout(process, local.output))}
        local.output.gathers = not stdin or local.stdin_ended
        if not local.output.gathers:
            # With a TTY, reading in the background stops us, as it stops any local program.
            source = Source(STDIN_FD, wait_for_foreground=not process.tty)
            resources.callback(source.close)
            tasks.add(asyncio.create_task(_feed_rest(source, process, local)))
        if process.tty:
            tasks.add(asyncio.create_task(_follow_terminal(process, local)))
        pending = set(tasks)
        try:
            while not (output.done() or local.keys.seen):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return local.keys.seen


async def _feed_rest(source: Source, process: Exec, local: Local) -> None:
    """Move our stdin to the command's, first the bytes that another pump could not send."""
    # Broken: the command takes no more input. The output pump is about to see its end.
    with suppress(Broken):
        if local.unsent:
            await process.write(local.unsent)
        if not local.keys.seen:
            await _feed(source, process, local.keys)
            local.output.gathers = True


async def _feed(source: Source, process: Exec, keys: DetachKeys | SshEscapes) -> None:
    """Move our stdin to the command's, until its end or the detach keys."""
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
        await source.pump(send)
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


async def _copy_output(process: Exec, output: Output) -> None:
    """Write all of the command's output to our stdout and stderr.

    Raises:
        OSError: one of them could not be written; the other was written to the end.
        Broken: the output ended too early.
    """
    try:
        await output.flush()  # what another pump has taken, and could not write
        while await process.pump(output.take):
            await output.flush()
        output.end()
    finally:
        output.close()
    if output.failure is not None:
        raise output.failure


async def _end_on_closed_stdout(process: Exec, output: Output) -> None:
    """End the command once our stdout cannot be written, as most local commands would end then.

    Its last messages on stderr are still written.
    """
    failed = asyncio.Event()
    output.on_stdout_failed = failed.set
    if not output.stdout_failed:
        await failed.wait()
    await process.end(signal.SIGTERM, process.leaving.kill_after)


async def _follow_terminal(process: Exec, local: Local) -> None:
    """Forward window sizes to the command, and restore the terminal while we are stopped."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def proceed() -> None:
        local.resume()
        changed.set()

    def suspend() -> None:
        local.suspend()
        changed.set()

    handlers = {signal.SIGWINCH: changed.set, signal.SIGTSTP: suspend, signal.SIGCONT: proceed}
    with signals_handled(loop, handlers):
        # The size may have changed since the command was started.
        changed.set()
        while True:
            await changed.wait()
            changed.clear()
            size = local_window_size()
            if size is None:
                continue
            if local.was_suspended:
                # Programs draw their screen again only for a size that differs.
                local.was_suspended = False
                await process.resize((size[0] + 1, size[1]))
                await asyncio.sleep(_REDRAW)
            if size != process.size:
                await process.resize(size)
