"""``rind``: argv in, exit status out. The only module that prints.

What a mistake on the command line does not need is imported late: asyncio and aiodocker take
longer to load than everything else together.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rind import __version__
from rind.cli.options import HELP, Options, parse
from rind.cli.report import line
from rind.errors import ExitStatus, RindError

__all__ = ["main"]

_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the command that ``sys.argv`` asks for; return the exit status."""
    _plug_standard_streams()
    try:
        options = parse(sys.argv[1:], os.environ)
        if options.action != "run":
            text = HELP if options.action == "help" else f"rind {__version__}\n"
            os.write(1, text.encode())
            return 0
        return _run_until_signalled(options)
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


def _run_until_signalled(options: Options) -> int:
    """Run; on a signal that ends us, cancel that, so that everything is given back first."""
    import asyncio  # noqa: PLC0415 # see above

    with _no_ca_certificates():
        from rind.cli.session import run  # noqa: PLC0415 # see above

    received: list[int] = []

    async def run_cancellable() -> int:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(run(options, os.environ, say=_say))

        def cancel(number: int) -> None:
            received.append(number)
            running.cancel()

        for number in _ENDING_SIGNALS:
            # What our parent ignores, as nohup does, we go on ignoring.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, cancel, number)
        return await running

    try:
        return asyncio.run(run_cancellable())
    except asyncio.CancelledError:
        return ExitStatus.SIGNALLED + received[0]


@contextmanager
def _no_ca_certificates() -> Iterator[None]:
    """Keep aiohttp from reading the system's CA certificates while it is imported.

    It does so for the sake of HTTPS, a fifth of the time to import aiodocker, and no engine is
    verified by them: one with TLS has a CA of its own. Only here, in our own process: in a
    program that embeds the library, aiohttp may be wanted for the web.
    """
    saved = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(saved, os.devnull))
    try:
        yield
    finally:
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


def _say(text: str) -> None:
    # A stderr that is closed or gone cannot be told so.
    with suppress(OSError, AttributeError):
        sys.stderr.write(line(text))
        sys.stderr.flush()
