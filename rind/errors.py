"""What can go wrong, and the exit statuses that are Rind's own.

The tree:

    RindError
    ├── UsageError          the command line, an environment file
    │   └── MissingValue    an option is the last word, but needs a value (rind.cli.parser)
    ├── SelectionError      no container, or one that is not running; an invalid label
    │   ├── AmbiguousError  several containers, and no reason to choose one (rind.decide.selection)
    │   └── NoContainerError  none fits, or none that does is running (rind.decide.selection)
    ├── StartError          the engine could not start the command in the container
    ├── CommandError        a command did not end as was asked
    │   ├── CommandFailed   it was to succeed, and ended with another exit status than 0
    │   ├── TimedOut        it did not end in time (a TimeoutError too)
    │   └── TooMuchOutput   it wrote more than was to be captured
    └── EngineError         everything between us and the engine
        ├── Unreachable     no connection, or what answers is not a Docker Engine
        ├── Refused         the engine answered with an error status
        ├── Broken          an open connection failed, or carried what the protocol forbids
        │   └── Lost        and the command may still run, or was ended for that
        ├── ContainerGone   the command was killed with its container
        └── LeftRunning     a command's processes could not be ended

A message is one line, composed where the error is raised, without the leading ``rind:``.
"""

from __future__ import annotations

import shlex
from enum import IntEnum

from rind.base.quoting import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, TypedDict, Unpack

__all__ = [
    "Broken",
    "Captured",
    "CommandError",
    "CommandFailed",
    "ContainerGone",
    "Ending",
    "EngineError",
    "ExitStatus",
    "LeftRunning",
    "Lost",
    "OutputMissing",
    "Refused",
    "RindError",
    "SelectionError",
    "StartError",
    "TimedOut",
    "TooMuchOutput",
    "Unreachable",
    "UsageError",
]


class ExitStatus(IntEnum):
    """Exit statuses that mean something of ours, not the command's.

    They are those of ``docker exec``, coreutils' ``timeout`` and POSIX shells.
    """

    TIMED_OUT = 124
    FAILED = 125
    """Rind or the engine failed before or around the command."""
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    SIGNALLED = 128
    """The base to which a signal's number is added."""
    BROKEN_PIPE = 141
    """The reader of our stdout went away: 128 + SIGPIPE."""


class RindError(Exception):
    """Base of all errors that Rind raises on purpose.

    Attributes:
        exit_status: what the ``rind`` command ends with for this error.
    """

    exit_status: int = ExitStatus.FAILED

    def __init__(self, message: str = "") -> None:
        # What an engine or a container says is repeated in messages.
        super().__init__(printable(message))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it with its attributes: by default, it is made anew of its message."""
        return _revived, (type(self), self.args), self.__dict__


def _revived(kind: type[RindError], args: tuple[object, ...]) -> RindError:
    error = kind.__new__(kind)
    error.args = args
    return error


class UsageError(RindError):
    """The request is invalid; nothing was done."""


class SelectionError(RindError):
    """There is not exactly one container to run in; nothing was executed."""


class StartError(RindError):
    """The engine created the exec instance, but its command never started.

    Attributes:
        exit_status: 127 where the command is not found, 126 where it cannot be executed,
            125 for anything else, whatever number the engine's version gave it.
        told: whether it stands on the command's stderr too: it was its pre-step's shell that
            could not start it.
    """

    def __init__(self, message: str, exit_status: int, *, told: bool = False) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.told = told

    @property
    def reason(self) -> str:
        """Why, such as ``nope: not found in the PATH of web``."""
        return str(self).partition(": ")[2]


if TYPE_CHECKING:

    class Captured(TypedDict, total=False):
        """The keywords of a :class:`CommandError`, as its attributes."""

        stdout: str | bytes | None
        stderr: str | bytes | None
        container: str


class CommandError(RindError):
    """A command that did not end as was asked.

    Attributes:
        argv: its words, or its script and the script's parameters.
        stdout, stderr: what it wrote, as far as that was captured; None else.
        container: the name of the container that it ran in; empty where none was found yet.
    """

    def __init__(
        self,
        argv: Sequence[str],
        how: str,
        *,
        stdout: str | bytes | None = None,
        stderr: str | bytes | None = None,
        container: str = "",
    ) -> None:
        where = f" in {container}" if container else ""
        super().__init__(f"{shlex.join(argv)} {how}{where}")
        self.argv = list(argv)
        self.stdout = stdout
        self.stderr = stderr
        self.container = container


class CommandFailed(CommandError):
    """A command that was to succeed ended with another exit status than 0.

    Attributes:
        returncode: the exit status; it is :attr:`exit_status` too.
    """

    def __init__(
        self,
        argv: Sequence[str],
        returncode: int,
        **captured: Unpack[Captured],
    ) -> None:
        super().__init__(argv, f"ended with exit status {returncode}", **captured)
        self.exit_status = self.returncode = returncode


class TimedOut(CommandError, TimeoutError):
    """A command did not end in time, and was ended with all that it had started.

    Attributes:
        timeout: the time that it had, in seconds.
    """

    exit_status = ExitStatus.TIMED_OUT

    def __init__(
        self,
        argv: Sequence[str],
        timeout: float,
        **captured: Unpack[Captured],
    ) -> None:
        super().__init__(argv, f"did not end within {timeout:g} s", **captured)
        self.timeout = timeout


class TooMuchOutput(CommandError):
    """A command wrote more than was to be captured, and was ended with all that it had started.

    Attributes:
        limit: the most bytes of each stream.
    """

    def __init__(self, argv: Sequence[str], limit: int, **captured: Unpack[Captured]) -> None:
        super().__init__(argv, f"wrote more than {limit} bytes", **captured)
        self.limit = limit


class EngineError(RindError):
    """The engine cannot be used as asked."""


class Unreachable(EngineError):
    """No engine answers at the endpoint."""


class Refused(EngineError):
    """The engine answered a request with an error.

    Attributes:
        http_status: the answer's HTTP status, such as 404 or 409.
        text: the engine's own words.
    """

    def __init__(self, http_status: int, text: str) -> None:
        super().__init__(f"the engine says: {text} (HTTP status {http_status})")
        self.http_status = http_status
        self.text = text


if TYPE_CHECKING:
    Ending = Literal["removed", "stopped", "out of memory", "killed", "ended"]
    """How a container ended, and its commands with it: by ``docker rm --force``, ``docker stop``,
    the kernel (no memory left), ``docker kill``, or by itself."""


class ContainerGone(EngineError):
    """The command was killed with all of its container's processes.

    Attributes:
        how: what has become of the container.
        stdout, stderr: what the command wrote, where :meth:`Target.run` captured it; None else.
    """

    exit_status = 137

    def __init__(self, message: str, how: Ending) -> None:
        super().__init__(message)
        self.how = how
        self.stdout: str | bytes | None = None
        self.stderr: str | bytes | None = None


class LeftRunning(EngineError):
    """Processes of a command may be left in the container: they cannot be reached."""


class Broken(EngineError):
    """An open connection to the engine failed; the command may still be running."""


class OutputMissing(Broken):
    """The command has ended, and the end of its output may be missing.

    Podman loses its connection to a command that ends before it has read its stdin. The exit status
    is known (:meth:`rind.Exec.wait`).
    """


class Lost(Broken):
    """The connection to a command failed, and nothing is known of it but what was done then.

    Attributes:
        what: what has failed.
        container: the name of the container.
        ended: whether the command was ended since, with all that it had started.
    """

    def __init__(self, what: str, container: str, *, ended: bool = False) -> None:
        left = "the command was ended" if ended else "the command may still be running"
        super().__init__(f"{what}: {left} in {container}")
        self.what = what
        self.container = container
        self.ended = ended
