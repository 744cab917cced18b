"""The options of a run as data, and the type of an option; the option table lists the options."""

from __future__ import annotations

from collections.abc import Callable

from rind.base.records import dataclass, field
from rind.decide.plan import Command
from rind.decide.wanted import Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

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
    """The kinds of candidates for a word. Those up to "local files" come from this machine, those
    up to "indexes" from the engine's list of containers, the others from the container; ``""`` has
    none."""


@dataclass(slots=True)
class Options:
    """The parsed command line.

    Attributes:
        action: "run", or the action to carry out instead.
        words: the words after the options; empty for the default command. For "complete", a
            shell's name and the words to complete.
        typed: the options as they were typed, without ``--shim``.
        command: its fields that options set; :func:`rind.cli.translate.command_from` adds the
            words, the variables and the streams.
        wanted: the conditions that options set; :func:`rind.cli.translate.wanted_from` adds the
            paths.
        env: ``NAME`` or ``NAME=value``, in order.
        all: whether to run it in every container that fits.
        group: whether ``all`` prints each container's output in one piece.
        tty: None to allocate one if our streams are terminals.
        timeout, kill_after: in seconds.
        wait: seconds to wait for the container; None not to wait.
        detach_keys: None for the keys in docker's configuration file.
        completion: the shell whose script to print.
        library_files: whether to fetch the files that a language server names.
        verbosity: -1 quiet, 0, 1 verbose, 2 with the requests to the engine.
    """

    action: Action = "run"
    words: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    command: Command = Command()
    wanted: Wanted = Wanted()
    all: bool = False
    group: bool = False
    host: str | None = None
    context: str | None = None
    env: list[str] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
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
    library_files: bool = True
    verbosity: int = 0


Reader = Callable[[Options, str], None]
"""Stores an option's value in the options; the value of a flag is ``""``."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line.

    Attributes:
        names: as in the help, ``-a, --all`` or ``--all``.
        read: stores its value.
        help: one or two sentences.
        metavar: the value's name; empty for a flag, in brackets for an optional value.
        completes: the kind of candidates for the value.
        excludes: the long names of options that it cannot be combined with.
        needs: the long name of an option that it requires.
        is_checked: whether the parser requires valid UTF-8. A path of this machine may have any
            bytes; an engine's address is checked later, by code whose messages hide a password.
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
        """The value's name, as written after the option's name."""
        space = " " if self.metavar and not self.metavar.startswith("[") else ""
        return space + self.metavar

    @property
    def long(self) -> str:
        """The long name."""
        return self.names.rpartition(" ")[2]

    @property
    def short(self) -> str:
        """The short name, or an empty string."""
        return self.names.partition(", ")[0] if ", " in self.names else ""
