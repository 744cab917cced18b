"""What the command line asks for, and what an option is; the options are in the option table."""

from __future__ import annotations

from collections.abc import Callable

from rind.base.records import dataclass, field
from rind.decide.profile import DEFAULT_LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from rind.model import MessageProtocol

__all__ = ["Action", "Candidates", "Option", "Options", "Reader"]

if TYPE_CHECKING:
    Action = Literal[
        "run",
        "list",
        "explain",
        "doctor",
        "shim",
        "help",
        "manual",
        "version",
        "completion",
        "complete",
    ]
    Candidates = Literal[
        "",
        "options",
        "shells",
        "contexts",
        "variables",
        "local files",
        "containers",
        "services",
        "projects",
        "indexes",
        "commands",
        "programs",
        "files",
        "directories",
        "users",
        "shell",
        "script",
    ]
    """What completes a word. The first line is known here, the second from the engine's list, the
    third from the container; nothing completes ``""``."""


@dataclass(slots=True)
class Options:
    """What the command line asks for.

    Attributes:
        action: what to do: run the command, or one of the things that are done instead.
        command: the words after the options; empty for the default command. For "complete", a
            shell's name and the words to complete.
        typed: the words of the options, but for those of ``--shim``.
        script: the shell script of ``-c``; then ``command`` holds its arguments.
        env: ``NAME`` or ``NAME=value``, in order.
        all: whether to run it in every container that fits.
        everywhere: whether the place does not matter then.
        group: whether their output is kept together.
        tty: None to decide by what our streams are.
        timeout, kill_after: in seconds.
        wait: for how long to wait for the container, in seconds.
        detach_keys: None for what docker's configuration file says.
        completion: the shell whose script to print.
        verbosity: -1 quiet, 0, 1 verbose.
    """

    action: Action = "run"
    command: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    script: str | None = None
    container: str | None = None
    service: str | None = None
    project: str | None = None
    index: int | str | None = None
    all: bool = False
    everywhere: bool = False
    group: bool = False
    label: str = DEFAULT_LABEL
    host: str | None = None
    context: str | None = None
    env: list[str] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
    user: str | None = None
    workdir: str | None = None
    shell: str | None = None
    pre_step: bool = True
    privileged: bool = False
    map_paths: bool | None = None
    protocol: MessageProtocol = ""
    tty: bool | None = None
    stdin: bool = True
    detach: bool = False
    detach_keys: str | None = None
    timeout: float | None = None
    wait: float | None = None
    json: bool = False
    shim: str = ""
    kill_after: float = 10.0
    completion: str = ""
    verbosity: int = 0


Reader = Callable[[Options, str], None]
"""Takes an option's value, or ``""`` for a flag."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line.

    Attributes:
        names: as help has them, ``-a, --all`` or ``--all``.
        read: takes its value.
        help: one or two sentences.
        metavar: the value's name; empty for a flag, in brackets for a value that may be left out.
        completes: what completes the value.
        excludes: the long names of options that it cannot be combined with.
        needs: the long name of an option that it is only for.
        is_checked: whether its value must be text. A path of this machine may have any bytes, and
            an engine's address is checked where no message repeats a password.
    """

    names: str
    read: Reader
    help: str
    metavar: str = ""
    completes: Candidates = ""
    excludes: tuple[str, ...] = ()
    needs: str = ""
    is_checked: bool = True

    @property
    def value(self) -> str:
        """The value's name, as it stands behind the option's name."""
        space = " " if self.metavar and not self.metavar.startswith("[") else ""
        return space + self.metavar

    @property
    def long(self) -> str:
        """The long name."""
        return self.names.rpartition(" ")[2]

    @property
    def short(self) -> str:
        """The short name; empty for none."""
        return self.names.partition(", ")[0] if ", " in self.names else ""
