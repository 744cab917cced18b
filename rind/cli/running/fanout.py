"""Runs one command in several containers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from struct import Struct
from typing import IO, Final

from rind.base.records import dataclass
from rind.cli.running.prefix import PrefixedLines, prefixes, wants_colour
from rind.cli.running.progress import Progress
from rind.cli.running.supervisor import Supervisor
from rind.errors import EngineError, RindError, StartError
from rind.terminal.descriptors import Sink
from rind.terminal.standard import STDERR_FD, STDOUT_FD
from rind.terminal.tty import is_terminal
from rind.transport.frames import STDERR, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from rind.cli.running.supervisor import Start
    from rind.decide.plan import Command
    from rind.execution.exec import Exec
    from rind.target import Target

__all__ = ["Fanout", "Outcome", "overall", "summary"]

_MOST_NAMED: Final = 5
"""Containers that the summary names for each outcome; more would not fit a line."""

_MOST_HELD: Final = 1024 * 1024
"""Bytes of a command's output that are held back in memory; a longer output is in a file."""

_PART: Final = Struct("=BI")
"""The header of each part of the held output: its stream and its size in bytes."""

_Streams = Mapping[int, tuple[Sink, PrefixedLines]]
"""For each of one container's streams: its destination, and its lines with their prefix."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result in one container.

    Attributes:
        name: the container's title: its name, or ``web.2@node2`` for a swarm's task.
        status: the exit status.
        failed: whether Rind or the engine failed; the reason was printed already.
    """

    name: str
    status: int
    failed: bool = False


class Fanout:
    """Runs one command in each of several containers, and ends them all together.

    Args:
        targets: the containers.
        kill_after: seconds for each command's process tree to end by itself.
        env: our own environment.
        say: prints a message to the user.
        group: whether to print each command's output in one piece, when it has ended.
        progress: whether to show how many have ended, on stderr, which must be a terminal.
    """

    def __init__(  # noqa: PLR0913 # only an invocation calls it
        self,
        targets: Sequence[Target],
        kill_after: float,
        env: Mapping[str, str],
        say: Callable[[str], None],
        *,
        group: bool = False,
        progress: bool = False,
    ) -> None:
        self._env = env
        self._say = say
        self._group = group
        self._names = [target.container.title for target in targets]
        self._targets = targets
        self._runs = [
            Supervisor(name, kill_after, partial(self._report, name)) for name in self._names
        ]
        # One lock for stdout, stderr and our messages: all may be the same terminal.
        self._lock = asyncio.Lock()
        self._progress = Progress(len(targets), shown=progress)

    async def run(self, command: Command) -> list[Outcome]:
        """Run a command in all containers; a failure is reported, and does not stop the others.

        Raises:
            OSError: our stdout or stderr cannot be written, BrokenPipeError if its reader has
                gone; by then, all commands have been ended.
        """
        with self._streams() as streams:
            tasks = [
                asyncio.create_task(self._run_one(run, partial(target.start, command), outputs))
                for target, run, outputs in zip(self._targets, self._runs, streams, strict=True)
            ]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._progress.stop()

    def left(self) -> list[str]:
        """Return the names of the containers in which something may be left running."""
        return [name for run in self._runs for name in run.left()]

    def end(self, number: int, status: int) -> None:
        """End every command that still runs, as :meth:`Supervisor.end` does."""
        self._progress.stop()
        for run in self._runs:
            run.end(number, status)

    def forward(self, number: int) -> None:
        """Forward a signal to every command that still runs."""
        for run in self._runs:
            run.forward(number)

    @contextmanager
    def _streams(self) -> Iterator[list[_Streams]]:
        """Open stdout and stderr, and yield each container's streams."""
        sinks = {STDOUT: Sink(STDOUT_FD), STDERR: Sink(STDERR_FD)}
        terminals = {STDOUT: is_terminal(STDOUT_FD), STDERR: is_terminal(STDERR_FD)}
        prefixes_of = {
            stream: prefixes(self._names, coloured=wants_colour(self._env, terminal=terminal))
            for stream, terminal in terminals.items()
        }
        try:
            yield [
                {
                    stream: (
                        sink,
                        PrefixedLines(prefixes_of[stream][number], terminal=terminals[stream]),
                    )
                    for stream, sink in sinks.items()
                }
                for number in range(len(self._names))
            ]
        finally:
            for sink in sinks.values():
                sink.close()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        """Hold the lock on the output, for whole lines; the progress line is erased meanwhile."""
        async with self._lock:
            self._progress.make_way()
            yield
            self._progress.begin()

    async def _run_one(self, run: Supervisor, start: Start, streams: _Streams) -> Outcome:
        self._progress.begin()
        outcome = await self._outcome(run, start, streams)
        self._progress.count()
        return outcome

    async def _outcome(self, run: Supervisor, start: Start, streams: _Streams) -> Outcome:
        try:
            status = await run.run(start, partial(self._serve, streams))
        except RindError as exc:
            # The pre-step's shell may have printed the message already, on the command's stderr.
            if not (isinstance(exc, StartError) and exc.printed):
                await self._report(run.name, str(exc))
            return Outcome(run.name, exc.exit_status, failed=True)
        return Outcome(run.name, status or 0)

    async def _serve(self, streams: _Streams, process: Exec) -> int:
        from tempfile import SpooledTemporaryFile

        with SpooledTemporaryFile(_MOST_HELD) as held:
            try:
                while (part := await process.read()) is not None:
                    if self._group:
                        held.write(_PART.pack(part[0], len(part[1])) + part[1])
                        continue
                    async with self._writing():
                        await _write(streams, *part)
            except EngineError:
                # Print the output received so far, before the failure is reported.
                await self._close(streams, held)
                raise
            await self._close(streams, held)
        return await process.wait()

    async def _close(self, streams: _Streams, held: IO[bytes]) -> None:
        """Print the output that was held back, and each stream's unfinished last line."""
        async with self._writing():
            held.seek(0)
            while header := held.read(_PART.size):
                stream, size = _PART.unpack(header)
                await _write(streams, stream, held.read(size))
            for sink, lines in streams.values():
                await sink.write(lines.close())

    async def _report(self, name: str, text: str) -> None:
        async with self._writing():
            self._say(f"{name}: {text}")


async def _write(streams: _Streams, stream: int, data: bytes) -> None:
    sink, lines = streams[stream]
    await sink.write(lines.feed(data))


def overall(outcomes: Sequence[Outcome], settled: int | None) -> int:
    """Return the overall exit status: the first that is not 0, in the order of the outcomes.

    Args:
        outcomes: one for each container.
        settled: the status of commands that a signal or the time limit ended; if any command has
            it, it takes precedence.
    """
    statuses = [outcome.status for outcome in outcomes]
    return settled if settled in statuses else next(filter(None, statuses), 0)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return a summary, as in ``3 containers: 2 ok, shop-web-2 exited 1``."""
    names_by_result: dict[str, list[str]] = {}
    for outcome in outcomes:
        exited = f"exited {outcome.status}" if outcome.status else "ok"
        result = "failed" if outcome.failed else exited
        names_by_result.setdefault(result, []).append(outcome.name)
    ok = len(names_by_result.pop("ok", []))
    parts = [f"{ok} ok"] if ok else []
    parts += [f"{_listed(names)} {result}" for result, names in names_by_result.items()]
    total = len(outcomes)
    return f"{total} container{'' if total == 1 else 's'}: {', '.join(parts)}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMED:
        names = [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
