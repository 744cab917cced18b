"""The option table: each option with its help, the reader of its value, and its completion.

It is the only source of the parser (:mod:`rind.cli.parser`), of ``--help``
(:mod:`rind.cli.actions.help`), of the manual (:mod:`rind.cli.actions.manual`) and of completion.
"""

from __future__ import annotations

import re

from rind.base.records import replace
from rind.cli.options import Option
from rind.cli.variables import checked_variable
from rind.errors import UsageError
from rind.model import INDEX, NAME
from rind.terminal.detach_keys import parse_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.cli.options import Options, Reader

__all__ = ["OPTIONS", "SHELLS", "WAIT_DEFAULT"]

SHELLS: Final = ("bash", "zsh", "fish")
"""The shells that have a completion script."""

WAIT_DEFAULT: Final = 60.0
"""Seconds to wait for a container, if ``--wait`` has no value."""

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def _change(options: Options, name: str, value: object) -> None:
    """Set an option, or a field of one: ``command.user``."""
    whole, _, part = name.rpartition(".")
    if whole:
        name, value = whole, replace(getattr(options, whole), **{part: value})
    setattr(options, name, value)


def _set(name: str, value: object) -> Reader:
    return lambda options, _: _change(options, name, value)


def _louder(options: Options, _: str) -> None:
    options.verbosity = max(options.verbosity, 0) + 1


def _store(name: str) -> Reader:
    return lambda options, value: _change(options, name, value)


def _not_empty(name: str) -> Reader:
    def store(options: Options, value: str) -> None:
        if not value:
            option = name.rpartition(".")[2]
            raise UsageError(f"--{option} needs a value, but got an empty one")
        _change(options, name, value)

    return store


def _add_env(options: Options, value: str) -> None:
    options.env.append(checked_variable(value, "-e"))


def _shell(options: Options, value: str) -> None:
    if not value or ("/" in value and not value.startswith("/")):
        raise UsageError(
            f"--shell needs an absolute path in the container, or a name, but got {value!r}"
        )
    _change(options, "command.shell", value)


def _index(options: Options, value: str) -> None:
    is_number = INDEX.fullmatch(value)
    if not is_number and (value.isdigit() or not re.fullmatch(NAME, value)):
        raise UsageError(
            f"--index needs a number from 1 on, or the name of a swarm's node, but got {value!r}"
        )
    _change(options, "wanted.index", int(value) if is_number else value)


def _duration(name: str) -> Reader:
    def store(options: Options, value: str) -> None:
        number = r"(\d+\.?\d*|\.\d+)"
        parts = re.findall(f"{number}(ms|[smh])", value, re.ASCII)
        if re.fullmatch(number, value, re.ASCII):
            parts = [(value, "s")]
        elif "".join(map("".join, parts)) != value or not parts:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} needs a duration such as 30s, 1.5m or 1h30m, but got {value!r}"
            )
        setattr(options, name, sum(float(count) * _SECONDS[unit] for count, unit in parts))

    return store


def _completion(options: Options, value: str) -> None:
    if value not in SHELLS:
        raise UsageError(f"--completion needs one of {', '.join(SHELLS)}, but got {value!r}")
    options.action, options.completion = "completion", value


def _detach_keys(options: Options, value: str) -> None:
    parse_keys(value)
    options.detach_keys = value


def _all(options: Options, value: str) -> None:
    if value not in {"", "everywhere"}:
        raise UsageError(f"--all takes no value except everywhere, but got {value!r}")
    options.all = True
    _change(options, "wanted.everywhere", bool(value))


def _wait(options: Options, value: str) -> None:
    _duration("wait")(options, value or f"{WAIT_DEFAULT:g}s")


def _shim(options: Options, value: str) -> None:
    options.action, options.shim = "shim", value


_NOT_WITH_PROTOCOL: Final = ("--tty", "--detach", "--all", "--no-map-paths")
"""Options with which a protocol's messages could not be parsed, or their paths not be mapped."""


OPTIONS: Final[dict[str, tuple[Option, ...]]] = {
    "Which container (default: the one with the label in the project where you are)": (
        Option(
            "-a, --all",
            _all,
            (
                "run at once in every running container that has the label, or the service, where "
                "you are; with =everywhere, on the whole engine; each line of output begins with "
                "its container's name; no stdin, no TTY"
            ),
            metavar="[=everywhere]",
            excludes=("--tty", "--detach", "--container"),
        ),
        Option(
            "--group",
            _set("group", value=True),
            "print each container's output in one piece, when its command has ended",
            needs="--all",
        ),
        Option(
            "-s, --service",
            _not_empty("wanted.service"),
            "a container of this Compose or swarm service, labelled or not (RIND_SERVICE)",
            metavar="NAME",
            completes="services",
            excludes=("--container",),
        ),
        Option(
            "-p, --project",
            _not_empty("wanted.project"),
            "a container of this Compose project or swarm stack (RIND_PROJECT)",
            metavar="NAME",
            completes="projects",
            excludes=("--container",),
        ),
        Option(
            "--index",
            _index,
            "the replica with this number, or the one on this swarm node",
            metavar="N",
            completes="indexes",
            excludes=("--container",),
        ),
        Option(
            "--container",
            _not_empty("wanted.container"),
            "this container, labelled or not (RIND_CONTAINER)",
            metavar="NAME|ID",
            completes="containers",
        ),
        Option(
            "--label",
            _not_empty("wanted.label"),
            "look for this label instead of app.rind (RIND_LABEL)",
            metavar="KEY",
        ),
        Option(
            "--wait",
            _wait,
            "wait until the container runs, and is healthy if it has a health check (60s)",
            metavar="[=DURATION]",
        ),
        Option(
            "-H, --host",
            _not_empty("host"),
            "the engine: unix:///path, tcp://host:port or ssh://user@host",
            metavar="URL",
            is_checked=False,
        ),
        Option(
            "--context",
            _not_empty("context"),
            "the engine of this docker context",
            metavar="NAME",
            completes="contexts",
        ),
    ),
    "What to run, and how": (
        Option(
            "-c, --command",
            _store("command.script"),
            "run SCRIPT in the container's shell; ARGs become $1, $2...",
            metavar="SCRIPT",
            completes="script",
        ),
        Option(
            "-e, --env",
            _add_env,
            "set a variable; NAME alone passes on the value that it has here",
            metavar="NAME[=VALUE]",
            completes="variables",
            is_checked=False,
        ),
        Option(
            "--env-file",
            lambda options, value: options.env_files.append(value),
            "set the variables that FILE lists",
            metavar="FILE",
            completes="local files",
            is_checked=False,
        ),
        Option(
            "-u, --user",
            _store("command.user"),
            'run as this user; "host" is your uid:gid on this machine',
            metavar="USER[:GROUP]",
            completes="users",
        ),
        Option(
            "-w, --workdir",
            _store("command.workdir"),
            (
                "run in this directory of the container, relative to its own working directory; "
                '"auto" is yours, as the container has it below a bind mount'
            ),
            metavar="DIR",
            completes="directories",
        ),
        Option(
            "--map-paths",
            _set("command.map_paths", value=True),
            (
                "translate paths below a bind mount: yours to the container's in the command, "
                "the container's to yours in the output (RIND_MAP_PATHS)"
            ),
        ),
        Option(
            "--lsp",
            _set("command.protocol", "lsp"),
            "the command is a language server: map the paths in its messages",
            excludes=_NOT_WITH_PROTOCOL,
        ),
        Option(
            "--dap",
            _set("command.protocol", "dap"),
            "the command is a debug adapter: map the paths in its messages",
            excludes=("--lsp", *_NOT_WITH_PROTOCOL),
        ),
        Option(
            "--no-library-files",
            _set("library_files", value=False),
            "fetch no files that the language server names, such as a library's",
            needs="--lsp",
        ),
        Option(
            "--no-map-paths",
            _set("command.map_paths", value=False),
            "leave paths as they are, even if the label or the variable maps them",
        ),
        Option(
            "--ssh-agent",
            _set("command.ssh_agent", value=True),
            "your ssh agent is in the container while the command runs (RIND_SSH_AGENT)",
            excludes=("--detach",),
        ),
        Option(
            "--no-ssh-agent",
            _set("command.ssh_agent", value=False),
            "keep your ssh agent out, even if the label or the variable asks for it",
        ),
        Option(
            "--privileged",
            _set("command.privileged", value=True),
            "give the command extended privileges",
        ),
        Option(
            "--shell",
            _shell,
            "the shell that runs the pre-step, and SCRIPT (default: /bin/sh)",
            metavar="PATH",
            completes="shell",
        ),
        Option(
            "--no-pre-step",
            _set("command.pre_step", value=False),
            "run the command without the pre-step",
        ),
    ),
    "Time limits (DURATION: a number and ms, s, m or h, as in 90, 1.5m or 1h30m)": (
        Option(
            "--timeout",
            _duration("timeout"),
            "send SIGTERM to the command and its children after this time; status 124",
            metavar="DURATION",
            excludes=("--detach",),
        ),
        Option(
            "--kill-after",
            _duration("kill_after"),
            "send SIGKILL this long after --timeout, or after a signal to rind (default: 10s)",
            metavar="DURATION",
        ),
    ),
    "Streams": (
        Option(
            "-t, --tty",
            _set("tty", value=True),
            "allocate a TTY (default: when all three streams are terminals)",
        ),
        Option(
            "-T, --no-tty",
            _set("tty", value=False),
            "allocate no TTY",
        ),
        Option(
            "-n, --no-stdin",
            _set("stdin", value=False),
            "do not read stdin, as in: while read x; do rind -n ...; done",
        ),
        Option(
            "-d, --detach",
            _set("detach", value=True),
            "start the command, attach nothing, and return",
        ),
        Option(
            "--detach-keys",
            _detach_keys,
            (
                "keys that detach from the command and leave it running, such as ctrl-p,ctrl-q, "
                "or ~. for ssh's escapes, which ~? lists "
                "(default: none, or detachKeys in docker's config.json)"
            ),
            metavar="KEYS",
        ),
        Option(
            "-i, --interactive",
            lambda _options, _value: None,
            "accepted for compatibility with docker exec: stdin is attached anyway",
        ),
    ),
    "Instead of running anything": (
        Option(
            "-l, --list",
            _set("action", "list"),
            "list the containers with the label, and mark the one that a command would run in",
        ),
        Option(
            "--json",
            _set("json", value=True),
            "print the list as JSON",
            needs="--list",
        ),
        Option(
            "--explain",
            _set("action", "explain"),
            "show the command, its container and the reason, and run nothing",
        ),
        Option(
            "--doctor",
            _set("action", "doctor"),
            "check the engine, the containers with the label, their pre-steps",
        ),
        Option(
            "--shim",
            _shim,
            (
                "for each NAME, write a program into DIR that runs NAME by rind, with the other "
                "options of this call; NAME=OPTIONS adds options, NAME='OPTIONS COMMAND' runs "
                "another command; without NAMEs, write those in the label app.rind.shims"
            ),
            metavar="DIR [NAME[=OPTIONS]...]",
        ),
        Option(
            "--completion",
            _completion,
            "print the completion script for bash, zsh or fish",
            metavar="SHELL",
            completes="shells",
        ),
        Option(
            "--man",
            _set("action", "manual"),
            "print the manual page, as in: rind --man | man -l -",
        ),
        Option(
            "-V, --version",
            _set("action", "version"),
            "print the version; with -v, also those of Python and the engine",
        ),
        Option(
            "-h, --help",
            _set("action", "help"),
            "print the options that people use first; --help all prints all of them",
        ),
    ),
    "Messages": (
        Option(
            "-q, --quiet",
            _set("verbosity", -1),
            "print nothing but errors",
        ),
        Option(
            "-v, --verbose",
            _louder,
            "show the command, its container and the reason, and run it; twice, also each request "
            "to the engine",
        ),
    ),
}
"""The options, grouped by the headings of ``--help``."""
