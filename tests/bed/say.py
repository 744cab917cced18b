"""Progress and failure, on standard error: standard output belongs to the command or the tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_SCRIPT = Path(sys.argv[0]).resolve()
_WHO = f"{_SCRIPT.parent.name}/{_SCRIPT.name}"
_LOG = Path(__file__).resolve().parents[2] / ".bed" / "log" / f"{_SCRIPT.name}.log"
_WIDTH = 60  # columns of progress, so that the line with its prefix fits in 80


class Trouble(Exception):
    """The reason why the test bed cannot continue, in one line for the user."""


def say(text: str, end: str = "\n") -> None:
    """Print a line. A closed terminal is ignored, so that the clean-up continues."""
    _write(f"{_WHO}: {text}{end}")


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Report a step's begin and duration; yield a function that reports its progress."""
    started = time.monotonic()
    live = sys.stderr.isatty()
    clear = "\033[K" if live else ""

    def progress(text: str) -> None:
        if live:
            line = f"{what}: {text}"
            say(f"{line[:_WIDTH]}{clear}", "\r")

    say(f"{what} …", "\r" if live else " ")
    try:
        yield progress
    except BaseException:
        _write(f"{clear}\n" if live else "\n")
        raise
    seconds = f"{time.monotonic() - started:.1f} s"
    if live:
        say(f"{what} … {seconds}{clear}")
    else:
        _write(f"{seconds}\n")


def run(
    *argv: str | os.PathLike[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line_seen: Callable[[str], None] = lambda _: None,
) -> None:
    """Run a program to its end; its output goes to the log and, line by line, to *line_seen*.

    Raises:
        Trouble: it failed; the message has its last line and the path of the log.
    """
    last = ""
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    words: Sequence[str] = [os.fspath(word) for word in argv]
    with _LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(words)}\n")
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    last = line.strip() or last
                    line_seen(line.strip())
            except BaseException:
                process.terminate()
                raise
    if process.returncode:
        program = words[2] if words[1:2] == ["-m"] else Path(words[0]).name
        raise Trouble(f"{program} failed: {last[:200]} (the full output is in {_LOG})")
