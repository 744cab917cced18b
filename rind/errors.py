"""The exceptions that Rind raises, and its own exit statuses.

The tree:

    RindError
    ├── UsageError          the command line or an environment file is invalid
    │   └── MissingValue    the last word is an option that needs a value (rind.cli.parser)
    ├── SelectionError      no container, or one that is not running; an invalid label
    │   ├── AmbiguousError  several containers fit equally well (rind.decide.selection)
    │   ├── NoContainerError  no container fits and is running (rind.decide.selection)
    │   └── NoWayError      the address of a node's engine is missing or wrong (rind.find.elsewhere)
    ├── StartError          the engine could not start the command in the container
    ├── CommandError        a command failed, timed out or wrote too much
    │   ├── CommandFailed   its exit status was checked, and is not 0
    │   ├── TimedOut        it did not end in time (also a TimeoutError)
    │   └── TooMuchOutput   it wrote more than the capture limit
    └── EngineError         the engine, or the connection to it, failed
        ├── Unreachable     no connection, or the peer is not a Docker Engine
        ├── Refused         the engine answered with an error status
        ├── Broken          an open connection failed, or violated the protocol
        │   ├── OutputMissing  the command has ended, but part of its output may be lost
        │   └── Lost        the command may still be running, unless Rind has ended it since
        ├── ContainerGone   the command was killed with its container, or not started in it
        └── LeftRunning     a command's processes could not be ended

A message is one line, composed where the error is raised, without the leading ``rind:``.
"""

from __future__ import annotations

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
    """Exit statuses that Rind sets itself, as opposed to the command's.

    They follow ``docker exec``, coreutils' ``timeout`` and POSIX shells.
    """

    TIMED_OUT = 124
    FAILED = 125
    """Rind or the engine failed, not the command."""
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    SIGNALLED = 128
    """The base to which a signal's number is added."""
    BROKEN_PIPE = 141
    """The reader of our stdout has closed it: 128 + SIGPIPE."""


class RindError(Exception):
    """Base of all errors that Rind raises on purpose.

    Attributes:
        exit_status: the exit status of the ``rind`` command for this error.
    """

    exit_status: int = ExitStatus.FAILED

    def __init__(self, message: str = "") -> None:
        # Messages quote text from engines and containers, which may have control characters.
        super().__init__(printable(message))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy without ``__init__``, which BaseException calls with ``args`` alone."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RindError], args: tuple[object, ...]) -> RindError:
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
        exit_status: 127 if the command is not found, 126 if it cannot be executed, 125 for any
            other reason. The engine's own exit code is ignored: it depends on the version.
        printed: whether the message is already on the command's stderr, where the shell that ran
            the pre-step printed it.
        is_final: whether a further attempt would fail too: the reason is the command, its user or
            its directory, and not the state of the container.
    """

    def __init__(
        self, message: str, exit_status: int, *, printed: bool = False, is_final: bool = True
    ) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.printed = printed
        self.is_final = is_final

    @property
    def reason(self) -> str:
        """The reason, such as ``nope: not found in the PATH of web``."""
        return str(self).partition(": ")[2]


if TYPE_CHECKING:

    class Captured(TypedDict, total=False):
        """The keyword arguments of a :class:`CommandError`; see its attributes."""

        stdout: str | bytes | None
        stderr: str | bytes | None
        container: str


class CommandError(RindError):
    """A command failed, timed out or wrote too much.

    Attributes:
        argv: its words, or its script and the script's parameters.
        stdout, stderr: its captured output; None for a stream that was not captured.
        container: the name of its container; empty if no container was found yet.
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
        import shlex

        super().__init__(f"{shlex.join(argv)} {how}{where}")
        self.argv = list(argv)
        self.stdout = stdout
        self.stderr = stderr
        self.container = container


class CommandFailed(CommandError):
    """A command ended with an exit status other than 0, although success was required.

    Attributes:
        returncode: the command's exit status, which is also :attr:`exit_status`.
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
    """A command did not end in time. It and its descendants were ended.

    Attributes:
        timeout: the time limit, in seconds.
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
    """A command wrote more than the capture limit. It and its descendants were ended.

    Attributes:
        limit: the maximum per stream, in bytes.
    """

    def __init__(self, argv: Sequence[str], limit: int, **captured: Unpack[Captured]) -> None:
        super().__init__(argv, f"wrote more than {limit} bytes", **captured)
        self.limit = limit


class EngineError(RindError):
    """The engine, or the connection to it, failed."""


class Unreachable(EngineError):
    """No engine answers at the endpoint."""


class Refused(EngineError):
    """The engine answered a request with an error.

    Attributes:
        http_status: the HTTP status of the answer, such as 404 or 409.
        text: the engine's own message.
    """

    def __init__(self, http_status: int, text: str) -> None:
        super().__init__(f"the engine says: {text} (HTTP status {http_status})")
        self.http_status = http_status
        self.text = text


if TYPE_CHECKING:
    Ending = Literal["removed", "stopped", "out of memory", "killed", "ended"]
    """How a container ended, killing its commands: by ``docker rm --force``, by ``docker stop``,
    by the kernel (out of memory), by ``docker kill``, or because its main process exited."""


class ContainerGone(EngineError):
    """The command was killed together with its container, or not started, because it had ended.

    Attributes:
        how: how the container ended; "stopped" if that was long ago.
        started: whether the command was started.
        stdout, stderr: the command's output, if :meth:`Target.run` captured it; otherwise None.
    """

    exit_status = 137

    def __init__(self, message: str, how: Ending, *, started: bool = True) -> None:
        super().__init__(message)
        self.how = how
        self.started = started
        if not started:
            self.exit_status = ExitStatus.FAILED
        self.stdout: str | bytes | None = None
        self.stderr: str | bytes | None = None


class LeftRunning(EngineError):
    """A command's processes may still run in the container: signals cannot reach them."""


class Broken(EngineError):
    """An open connection to the engine failed; the command may still be running."""


class OutputMissing(Broken):
    """The command has ended, but the end of its output may be missing.

    Podman loses its connection to a command that ends without having read its stdin. The exit
    status is known (:meth:`rind.Exec.wait`).
    """


class Lost(Broken):
    """The connection to a command failed, so its state and exit status are unknown.

    Attributes:
        what: a description of the failure.
        container: the name of the container.
        ended: whether Rind has ended the command and its descendants since.
    """

    def __init__(self, what: str, container: str, *, ended: bool = False) -> None:
        left = "the command was ended" if ended else "the command may still be running"
        super().__init__(f"{what}: {left} in {container}")
        self.what = what
        self.container = container
        self.ended = ended
