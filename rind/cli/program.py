"""Argv in, exit status out. The only module that prints on stdout.

Most modules are imported where they are first needed: asyncio takes longer to load than everything
else together, and an ordinary command needs none of it. aiodocker is never loaded.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import sys
from contextlib import contextmanager, suppress

from rind import __version__
from rind.base.deadline import Deadline
from rind.base.light import signal
from rind.base.records import replace
from rind.cli.parser import parse, parse_shim
from rind.cli.running.signals import Relay, die_of, handling_signals, say
from rind.cli.variables import environment
from rind.errors import ExitStatus, RindError
from rind.terminal.tty import restore_terminals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Final

    from rind.cli.options import Options
    from rind.cli.running.invocation import Invocation
    from rind.cli.running.opening import Job, Prepared
    from rind.execution.direct import Direct

__all__ = ["run"]

_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS}
"""Errors of system calls for which the machine, or a limit, lacks a resource."""


def run() -> int:
    """Run the command that ``sys.argv`` asks for; return the exit status."""
    _plug_standard_streams()
    try:
        name = os.path.basename(sys.argv[0])
        if name == "docker-rind":
            return _plug_in(sys.argv[1:])
        if not name.startswith("rind") and os.path.islink(sys.argv[0]):
            return _perform(parse_shim(name, sys.argv[1:], os.environ))
        return _do(parse(sys.argv[1:], os.environ))
    except RindError as exc:
        say(str(exc))
        return exc.exit_status
    except BrokenPipeError:
        return ExitStatus.BROKEN_PIPE
    except (OSError, MemoryError, ImportError) as exc:
        what = "go on" if _is_exhausted(exc) else "read stdin or write the output"
        say(f"cannot {what}: {_reason(exc)}")
        return ExitStatus.FAILED


def _plug_in(argv: list[str]) -> int:
    """Run as a plugin of docker's command line."""
    from rind.cli.actions.plugin import METADATA, metadata, translated

    if argv == [METADATA]:
        _print(metadata())
        return 0
    return _do(parse(translated(argv, os.environ), os.environ))


def _do(options: Options) -> int:
    match options.action:
        case "version":
            _print(f"rind {__version__}\n")
            return _perform(options) if options.verbosity > 0 else 0
        case "help" | "manual" | "complete" | "completion":
            _print(_text(options))
        case "shim" if options.words:
            from rind.cli.actions.shim import write_shims

            write_shims(options, options.words, say)
        case _:
            return _perform(options)
    return 0


def _text(options: Options) -> str:
    """Return the text of an action that only prints."""
    match options.action:
        case "help":
            from rind.cli.actions.help import help_text, short_help

            return help_text() if options.words == ["all"] else short_help()
        case "manual":
            from rind.cli.actions.manual import manual

            return manual()
    from rind.cli.actions.completion import LIMIT, answer
    from rind.cli.actions.completion_scripts import SCRIPTS

    if options.action == "completion":
        return SCRIPTS[options.completion]
    # An engine that hangs would hold up the clean-up too.
    with _quick_imports(), _limited(LIMIT):
        return "".join(f"{candidate}\n" for candidate in answer(options.words, os.environ))


def _perform(options: Options) -> int:
    """Carry out an action that needs an engine; die of the signal that ended it, if any."""
    from rind.cli.running.opening import Job, prepare, start
    from rind.endpoint.docker_config import broken_config

    deadline = Deadline(options.timeout or None)
    job = Job(options, {}, os.environ, deadline, say, _print)
    with _limited(deadline.left, ExitStatus.TIMED_OUT, job.too_late):
        # Reading may wait: for a pipe, or a file system that has gone.
        job = replace(job, variables=environment(options.env_files, options.env, os.environ))
        if why := broken_config(os.environ):
            say(f"{why}; doing without it, as docker does")
        if options.action in {"list", "explain", "shim", "version"}:
            _show(job)
            return 0
        prepared = prepare(job)
        if prepared is None:
            _load()
    if isinstance(prepared, int):
        return prepared
    relay = Relay(prepared.selected.container.name if prepared is not None else None)
    with handling_signals(relay):
        try:
            with _answering_for(prepared) as answering:
                serving = None
                if prepared is not None:
                    serving = prepared, start(prepared, deadline)
                    if (plain := serving[1].run()) is not None:
                        return plain
                invocation, status = _in_event_loop(job, serving, relay, answering)
        finally:
            restore_terminals()
    by = invocation.interruption
    if by is not None and status == ExitStatus.SIGNALLED + by.number:
        die_of(by.number, with_group=by.typed)
    return status


def _show(job: Job) -> None:
    """Perform an action that only asks the engine."""
    from rind.cli.translate import command_from, endpoint_from
    from rind.find.blocking import EarlyClient

    def out(text: str) -> None:
        _print(f"{text}\n")

    if job.options.action == "version":
        out("Python {}.{}.{} on {}".format(*sys.version_info[:3], sys.platform))
    client = EarlyClient(endpoint_from(job.options, job.env), job.env)
    if job.options.action == "list":
        from rind.cli.actions.listing import show_list

        show_list(client, job.options, out, say)
    elif job.options.action == "shim":
        from rind.cli.actions.shim import write_project_shims

        write_project_shims(client, job.options, say)
    elif job.options.action == "version":
        info = client.info()
        kind = "Podman" if info.is_podman else "Docker Engine"
        out(f"{kind} {info.version}, API {info.api}, at {client.endpoint.url}")
    else:
        from rind.cli.actions.explain import explain

        command = command_from(job.options, job.variables, job.env)
        explain(client, job.options, command, job.env, out)


def _in_event_loop(
    job: Job,
    serving: tuple[Prepared, Direct] | None,
    relay: Relay,
    answering: _Answering,
) -> tuple[Invocation, int]:
    """Carry out an action, or serve the command that has begun; return the exit status too."""
    _load()
    import asyncio

    from rind.cli.running.invocation import Invocation

    invocation = Invocation(job)
    if serving is not None:
        invocation.go_on_with(*serving)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(_report_loop_error)
        relay.attach(invocation, loop)
        answering.ends_it = True
        return invocation, runner.run(invocation.run())


def _report_loop_error(loop: AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report an error in a callback of the event loop, except for a lack of resources."""
    if not _is_exhausted(context.get("exception")):
        loop.default_exception_handler(context)


class _Answering:
    """The state of the responsibility for a command whose start was requested.

    Attributes:
        ends_it: whether the event loop's machinery runs, and ends the command if something fails.
    """

    ends_it = False


@contextmanager
def _answering_for(prepared: Prepared | None) -> Iterator[_Answering]:
    """End a command whose start was requested, whatever fails, or say that it may be left running.

    The event loop's machinery ends the command if it raises a RindError, or if a local stream
    fails. Without descriptors, memory or a module, or with a failing disk, it may be missing.

    Raises:
        RindError: for any failure that is not of a local stream. If the command may be left
            running, the message says so.
    """
    answering = _Answering()
    try:
        yield answering
    except BaseException as exc:
        is_streams = isinstance(exc, OSError) and not _is_exhausted(exc)
        if prepared is None or isinstance(exc, RindError) or (answering.ends_it and is_streams):
            raise
        # Half-made objects complain in their destructors.
        sys.unraisablehook = lambda _: None
        if not sys.warnoptions and (warnings := sys.modules.get("warnings")):
            warnings.simplefilter("ignore")
        restore_terminals()
        for fd in (0, 1):  # no longer used, and ending the command takes descriptors
            with suppress(OSError):
                os.close(fd)
        container, ended = prepared.selected.container, False
        with suppress(Exception):  # such as a lack of memory
            ended = prepared.early.end(prepared.created, container, prepared.config)
        left = "" if ended else f": the command may be left running in {container.name}"
        if left or isinstance(exc, Exception):
            raise RindError(f"cannot go on: {_reason(exc)}{left}") from None
        raise


def _is_exhausted(exc: object) -> bool:
    """Whether a failure is for lack of descriptors, memory or a module."""
    if isinstance(exc, OSError):
        return exc.errno in _EXHAUSTED
    return isinstance(exc, MemoryError | ImportError)


def _reason(exc: BaseException) -> str:
    """Return a failure in words; a MemoryError comes without a text."""
    return getattr(exc, "strerror", None) or str(exc) or "out of memory"


def _load() -> None:
    """Import the modules that use an event loop, and asyncio with them."""
    with _quick_imports():
        import rind.cli.running.invocation  # noqa: F401 # see above


@contextmanager
def _limited(seconds: float | None, status: int = 0, text: str = "") -> Iterator[None]:
    """Exit once the context has taken some seconds: no command depends on it yet.

    Args:
        seconds: None for no limit.
        status: the exit status then.
        text: is printed on stderr then, unless it is empty.
    """

    def give_up(_number: int, _: FrameType | None) -> None:
        if text:
            say(text)
        os._exit(status)

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _quick_imports() -> Iterator[None]:
    """Spare imports the work that is useless in this process.

    Modules are never garbage, so the collector need not look for any among them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _plug_standard_streams() -> None:
    """Keep the first files that we open from becoming a stdin, stdout or stderr that is closed.

    As coreutils do, open them in the wrong direction, so that using one is still an error.
    """
    for fd, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)


def _print(text: str) -> None:
    data = text.encode()
    while data:
        try:
            data = data[os.write(1, data) :]
        except BlockingIOError:
            # Another process has made stdout non-blocking.
            select.select([], [1], [])
