"""``rind``: argv in, exit status out. The only module that prints.

What a mistake on the command line does not need is imported late: asyncio and aiodocker take
longer to load than everything else together.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from rind import __version__
from rind.cli.options import HELP, Options, parse, parse_shim
from rind.cli.report import line
from rind.cli.shim import write_shims
from rind.errors import ExitStatus, RindError

__all__ = ["main", "program"]

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FORWARDED: Final = (signal.SIGUSR1, signal.SIGUSR2)


def program() -> NoReturn:
    """Be the command ``rind``.

    It ends without giving back every object first, an eighth of the time of ``rind true`` and the
    kernel's business anyway: all that was written has been, and no child is left. Where Python
    is to warn of what was not closed, it ends in full.
    """
    status = main()
    if sys.warnoptions:
        sys.exit(status)
    os._exit(status)


def main() -> int:
    """Run the command that ``sys.argv`` asks for; return the exit status."""
    _plug_standard_streams()
    try:
        program = Path(sys.argv[0])
        if program.is_symlink() and not program.name.startswith("rind"):
            return _run(parse_shim(program.name, sys.argv[1:], os.environ))
        return _do(parse(sys.argv[1:], os.environ))
    except RindError as exc:
        _say(str(exc))
        return exc.exit_status
    except BrokenPipeError:
        return ExitStatus.BROKEN_PIPE
    except OSError as exc:
        _say(f"cannot read stdin or write the output: {exc.strerror or exc}")
        return ExitStatus.FAILED
    except KeyboardInterrupt:
        return ExitStatus.SIGNALLED + signal.SIGINT


def _do(options: Options) -> int:
    match options.action:
        case "help" | "version" | "complete" | "completion":
            os.write(1, _text(options).encode())
        case "shim":
            write_shims(Path(options.shim), options.command, Path(sys.argv[0]))
        case _:
            return _run(options)
    return 0


def _text(options: Options) -> str:
    """Return what an action that only prints prints."""
    match options.action:
        case "help":
            return HELP
        case "version":
            return f"rind {__version__}\n"
    from rind.cli.completion import SCRIPTS, answer  # noqa: PLC0415 # see above

    if options.action == "completion":
        return SCRIPTS[options.completion]
    with _quick_imports():
        return "".join(f"{it}\n" for it in answer(options.command, os.environ))


def _run(options: Options) -> int:
    """Run the command, and let it have the signals that we get."""
    with _quick_imports():
        import asyncio  # noqa: PLC0415 # see above

        from rind.cli.session import Session  # noqa: PLC0415 # see above

    async def run() -> int:
        if options.action != "run":
            from rind.cli.show import show  # noqa: PLC0415 # see above

            return await show(options, os.environ, _print)
        session = Session(options, os.environ, _say)
        loop = asyncio.get_running_loop()
        for numbers, take in ((_ENDING, session.interrupt), (_FORWARDED, session.forward)):
            for number in numbers:
                # What our parent ignores, as nohup does, we go on ignoring.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, take, number)
        return await session.run()

    try:
        return asyncio.run(run())
    finally:
        # The status is settled: one more Ctrl-C from an impatient user does not change it.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _quick_imports() -> Iterator[None]:
    """Keep what is imported from doing what we have no use for. Only here, in our own process.

    Modules are there to stay, so there is no garbage to look for among them. And aiohttp reads the
    system's CA certificates, a fifth of the time to import aiodocker, for the sake of HTTPS: no
    engine is verified by them, for one with TLS has a CA of its own.
    """
    saved = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(saved, os.devnull))
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _plug_standard_streams() -> None:
    """Keep a closed stdin, stdout or stderr from being taken by the first file that we open.

    As coreutils do it: opened the wrong way round, so that using it is still an error.
    """
    for fd, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)


def _print(text: str) -> None:
    data = f"{text}\n".encode()
    while data:
        data = data[os.write(1, data) :]


def _say(text: str) -> None:
    # A stderr that is gone cannot be told so. Not sys.stderr: it would try once more at exit.
    with suppress(OSError):
        os.write(2, line(text).encode())
