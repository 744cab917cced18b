"""The embedding API's short cut: one command, in the container that fits.

The library prints nothing, reads no command line, handles no signal and leaves the local terminal
alone; :func:`rind.attach.attach_terminal` is for that. Threads only pack files and resolve names.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from rind.base.deadline import Deadline
from rind.client import connect
from rind.decide.plan import BARE, words
from rind.decide.wanted import Wanted
from rind.errors import TimedOut
from rind.execution.streams import streams_of_run
from rind.signatures import as_run_anywhere

__all__ = ["run", "run_found"]

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from rind.client import Client
    from rind.decide.plan import Words
    from rind.execution.capture import CompletedProcess


@as_run_anywhere
async def run(argv: Words = BARE, **options: Any) -> CompletedProcess[Any]:  # noqa: D417 # one by one
    """Run a command in the container that the command line would choose.

        done = await rind.run(["./manage.py", "check"], timeout=60, check=True)

    Args:
        argv: the command's words.
        host, context: the engine, as for :func:`connect`.
        container, service, project, index, label, everywhere: the container, as for
            :meth:`Client.find`.
        script, env, user, workdir, shell, pre_step, privileged, map_paths, ssh_agent, tty: as in
            :class:`~rind.decide.plan.Command`.
        text, encoding, errors, input, stdin, stdout, stderr: as for :meth:`Target.run`.
        check, timeout, kill_after, capture_limit, on_output: as for :meth:`Target.run`; the
            ``timeout`` covers connecting and finding, too.

    Raises:
        TypeError, ValueError: a keyword is unknown, or its value is invalid.
        SelectionError: no container fits, or several do.
        CommandFailed, TimedOut, UsageError, StartError, EngineError: as :meth:`Target.run`.
    """
    where = {name: options.pop(name) for name in ("host", "context") if name in options}
    return await run_found(connect(**where), argv, **options)


async def run_found(
    connecting: AbstractAsyncContextManager[Client], argv: Words, **options: Any
) -> CompletedProcess[Any]:
    """Connect a client, find the container that fits, and run a command in it.

    Args:
        connecting: enters the client.
        argv: the command's words.
        options: those of :func:`run` except ``host`` and ``context``. ``timeout`` covers
            connecting and finding, too.
    """
    streams_of_run(**options)  # a wrong one needs no engine
    argv = words(argv, options.get("script"))
    names = Wanted.__annotations__
    wanted = Wanted(**{name: options.pop(name) for name in names if name in options})
    timeout = options.pop("timeout", None)
    deadline = Deadline(timeout)

    def timed_out() -> TimedOut:
        return TimedOut(argv, timeout)

    async with AsyncExitStack() as stack:
        async with deadline.limit(timed_out):
            client = await stack.enter_async_context(connecting)
            target = await client.find(wanted)
        try:
            done: CompletedProcess[Any] = await target.run(argv, timeout=deadline.left, **options)
        except TimedOut as exc:
            # It had that long in all.
            raise TimedOut(
                exc.argv,
                timeout,
                stdout=exc.stdout,
                stderr=exc.stderr,
                container=exc.container,
            ) from None
        return done
