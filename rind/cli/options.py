"""The command line's words, made into :class:`Options`. Pure.

argparse is not used. It cannot take an option's value that begins with a dash (``-c '-n'``,
``-w -dir``), it would keep looking for options among the command's words, and importing it takes
as long as the rest of this package.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rind.cli.variables import checked_variable
from rind.decide.profile import DEFAULT_LABEL
from rind.errors import UsageError
from rind.terminal.detach_keys import parse_keys

__all__ = [
    "HELP",
    "LONG",
    "SHELLS",
    "MissingValue",
    "Options",
    "parse",
    "parse_shim",
]

HELP: Final = """\
Usage: rind [OPTIONS] [--] [COMMAND [ARG...]]

Run COMMAND (default: /bin/sh) in the running container that has the label app.rind,
in the environment that the label's value, a shell fragment, sets up.

Options end at the first word that is not one; all words after it are the command's.

Which container (by default the one with the label; of several, the one whose Compose
project or bind mount the working directory is in):
  -a, --all                  all that run and fit, wherever you are, at once: a line of output
                             begins with its container's name; no stdin, no TTY
      --group                with --all: the output of each in one piece, when it has ended
  -s, --service NAME         of this Compose service, labelled or not (RIND_SERVICE)
  -p, --project NAME         of this Compose project (RIND_PROJECT)
      --index N              this replica of the service
      --container NAME|ID    that container, labelled or not (RIND_CONTAINER)
      --label KEY            look for this label instead of app.rind (RIND_LABEL)
      --wait[=DURATION]      wait until it runs, and is healthy if that is checked (60s)
  -H, --host URL             the engine: unix:///path or tcp://host:port
      --context NAME         the engine of this docker context

What to run, and how:
  -c, --command SCRIPT       run SCRIPT in the container's shell; ARGs become $1, $2...
  -e, --env NAME[=VALUE]     set a variable; NAME alone hands over the value it has here
      --env-file FILE        set the variables that FILE lists
  -u, --user USER[:GROUP]    run as this user; "host" is the uid:gid that you have here
  -w, --workdir DIR          run in this directory of the container, counted from its own;
                             "auto" is where it has the working directory that you have here
      --privileged           give the command extended privileges
      --shell PATH           the shell that runs the pre-step, and SCRIPT (default: /bin/sh)
      --no-pre-step          run the command without the pre-step

How long:
      --timeout DURATION     SIGTERM for the command and all that it started; status 124.
                             DURATION is a number and s (default), m or h, as 90 or 1h30m
      --kill-after DURATION  then, or after a signal to rind, SIGKILL (default: 10s)

Streams:
  -t, --tty                  allocate a TTY (default: when stdin and stdout are terminals)
  -T, --no-tty               allocate none
  -n, --no-stdin             leave stdin alone, as in: while read x; do rind -n ...; done
  -d, --detach               start the command, attach nothing, and return
      --detach-keys KEYS     what leaves the command running when typed, such as ctrl-p,ctrl-q
                             or ssh's ~. (default: none, or docker's config.json's detachKeys)
  -i, --interactive          taken for docker exec's sake: stdin is attached anyway

Instead of running anything:
  -l, --list                 list the running containers with the label; --json for programs
      --explain              say what would be run, where and why
      --doctor               check the engine, the containers with the label, their pre-steps
      --shim DIR NAME...     write links into DIR: called as NAME, rind runs NAME

  -q, --quiet                print nothing but errors
  -v, --verbose              say what is run and where
      --completion SHELL     print what makes bash, zsh or fish complete rind's words
  -V, --version              print the version
  -h, --help                 print this

The exit status is the command's own; 125 when Rind or the engine failed, 126 when the
command cannot be executed, 127 when it is not found, 128+N when signal N ended it.
"""


SHELLS: Final = ("bash", "zsh", "fish")
"""Those that have a completion script."""


class MissingValue(UsageError):
    """The last word is an option that needs a value.

    Attributes:
        option: its long name.
    """

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


@dataclass(slots=True)
class Options:
    """What the command line asks for.

    Attributes:
        action: "run", or what is done instead, such as "help".
        command: the words after the options; empty for the default command. For "complete", a
            shell's name and the words to complete.
        script: the shell script of ``-c``; then ``command`` holds its arguments.
        env: ``NAME`` or ``NAME=value``, in order.
        all: whether to run it in every container that fits.
        group: whether their output is kept together.
        tty: None to decide by what stdin and stdout are.
        timeout, kill_after: in seconds.
        wait: for how long to wait for the container, in seconds.
        detach_keys: None for what docker's configuration file says.
        completion: the shell whose script to print.
        verbosity: -1 quiet, 0, 1 verbose.
    """

    action: str = "run"
    command: list[str] = field(default_factory=list)
    script: str | None = None
    container: str | None = None
    service: str | None = None
    project: str | None = None
    index: int | None = None
    all: bool = False
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


_Setter = Callable[[Options, str], None]


def _set(name: str, value: object) -> _Setter:
    return lambda options, _: setattr(options, name, value)


def _take(name: str) -> _Setter:
    return lambda options, value: setattr(options, name, value)


def _not_empty(name: str) -> _Setter:
    def take(options: Options, value: str) -> None:
        if not value:
            raise UsageError(f"--{name} needs a value, but got an empty one")
        setattr(options, name, value)

    return take


def _add_env(options: Options, value: str) -> None:
    options.env.append(checked_variable(value, "-e"))


def _shell(options: Options, value: str) -> None:
    if not value or ("/" in value and not value.startswith("/")):
        raise UsageError(
            f"--shell needs an absolute path of the container, or a name, but got {value!r}"
        )
    options.shell = value


def _index(options: Options, value: str) -> None:
    if not re.fullmatch("[1-9][0-9]{0,8}", value):
        raise UsageError(f"--index needs a number from 1 on, but got {value!r}")
    options.index = int(value)


def _duration(name: str) -> _Setter:
    def take(options: Options, value: str) -> None:
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

    return take


def _completion(options: Options, value: str) -> None:
    if value not in SHELLS:
        raise UsageError(f"--completion needs one of {', '.join(SHELLS)}, but got {value!r}")
    options.action, options.completion = "completion", value


def _detach_keys(options: Options, value: str) -> None:
    parse_keys(value)
    options.detach_keys = value


_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


_WAIT_DEFAULT: Final = 60.0


def _wait(options: Options, value: str) -> None:
    _duration("wait")(options, value or f"{_WAIT_DEFAULT:g}s")


def _is_duration(word: str) -> bool:
    return re.fullmatch(r"\d+(ms|[smh])?", word, re.ASCII) is not None


def _shim(options: Options, value: str) -> None:
    options.action, options.shim = "shim", value


_FLAGS: Final[dict[str, _Setter]] = {
    "--all": _set("all", value=True),
    "--detach": _set("detach", value=True),
    "--doctor": _set("action", "doctor"),
    "--explain": _set("action", "explain"),
    "--group": _set("group", value=True),
    "--help": _set("action", "help"),
    "--interactive": lambda _options, _value: None,
    "--json": _set("json", value=True),
    "--list": _set("action", "list"),
    "--no-pre-step": _set("pre_step", value=False),
    "--no-stdin": _set("stdin", value=False),
    "--no-tty": _set("tty", value=False),
    "--privileged": _set("privileged", value=True),
    "--quiet": _set("verbosity", -1),
    "--tty": _set("tty", value=True),
    "--verbose": _set("verbosity", 1),
    "--version": _set("action", "version"),
    "--wait": _wait,
}
_WITH_OR_WITHOUT: Final = {"--wait"}
"""Flags that may have a value after an equals sign."""
_VALUED: Final[dict[str, _Setter]] = {
    "--command": _take("script"),
    "--completion": _completion,
    "--container": _not_empty("container"),
    "--context": _not_empty("context"),
    "--detach-keys": _detach_keys,
    "--env": _add_env,
    "--env-file": lambda options, value: options.env_files.append(value),
    "--host": _not_empty("host"),
    "--index": _index,
    "--kill-after": _duration("kill_after"),
    "--label": _not_empty("label"),
    "--project": _not_empty("project"),
    "--service": _not_empty("service"),
    "--shell": _shell,
    "--shim": _shim,
    "--timeout": _duration("timeout"),
    "--user": _take("user"),
    "--workdir": _take("workdir"),
}
_SHORT: Final = {
    "-H": "--host",
    "-T": "--no-tty",
    "-V": "--version",
    "-a": "--all",
    "-c": "--command",
    "-d": "--detach",
    "-e": "--env",
    "-h": "--help",
    "-i": "--interactive",
    "-l": "--list",
    "-n": "--no-stdin",
    "-p": "--project",
    "-q": "--quiet",
    "-s": "--service",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--verbose",
    "-w": "--workdir",
}
_UNCHECKED: Final = {"--env", "--env-file", "--host"}
"""Their values are checked elsewhere, where a message about them is without a secret. A file of
this machine may have any bytes in its name."""
_LONGEST_SEEN: Final = 40
"""Characters of a value that a message has."""
LONG: Final = sorted([*_FLAGS, *_VALUED])
"""The long options."""


def parse(argv: Sequence[str], env: Mapping[str, str]) -> Options:
    """Translate the words after the program's name; ``env`` gives the defaults.

    Raises:
        MissingValue: the last word is an option that needs a value.
        UsageError: an option is unknown, or its value has no meaning.
    """
    words = list(argv)
    if words[:1] == ["--complete"]:  # for completion scripts only, which put any words after it
        return Options(action="complete", command=words[1:])
    options = Options(label=_default("RIND_LABEL", env) or DEFAULT_LABEL)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            _long(word, words, options)
        else:
            _shorts(word, words, options)
    options.command = words
    _check(options)
    if not options.container:
        narrowed = options.service or options.project or options.index or options.all
        options.container = None if narrowed else _default("RIND_CONTAINER", env)
        options.service = options.service or _default("RIND_SERVICE", env)
        options.project = options.project or _default("RIND_PROJECT", env)
    return options


def _default(name: str, env: Mapping[str, str]) -> str | None:
    value = env.get(name)
    return _text(name, value) if value else None


def _text(where: str, value: str) -> str:
    """Return ``value`` if it can be sent to an engine, to which all is text."""
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        cut = "..." if len(value) > _LONGEST_SEEN else ""
        raise UsageError(
            f"{where} needs text in UTF-8, but got {value[:_LONGEST_SEEN]!r}{cut}"
        ) from exc
    return value


def _check(options: Options) -> None:
    narrowed = options.service or options.project or options.index or options.all
    mistakes = {
        "--timeout needs somebody to wait for the command: it excludes --detach": (
            options.detach and options.timeout
        ),
        "--all shows the lines of several commands: it excludes --tty": options.all and options.tty,
        "--all waits for the commands: it excludes --detach": options.all and options.detach,
        "--group is for --all": options.group and not options.all,
        f"--{options.action} runs no command, but got {options.command[:1]}": (
            options.command and options.action in {"list", "doctor"}
        ),
        f"--wait takes its duration after an equals sign: --wait={''.join(options.command[:1])}": (
            options.wait == _WAIT_DEFAULT and options.command and _is_duration(options.command[0])
        ),
        "--json is for --list": options.json and options.action != "list",
        "--container excludes --service, --project, --index and --all": (
            options.container and narrowed
        ),
    }
    for mistake, made in mistakes.items():
        if made:
            raise UsageError(mistake)


def parse_shim(name: str, words: Sequence[str], env: Mapping[str, str]) -> Options:
    """Give the options of a call by a shim: all words are the command's, ``env`` says the rest."""
    options = parse([], env)
    options.command = [name, *words]
    return options


def _long(word: str, words: list[str], options: Options) -> None:
    name, equals, value = word.partition("=")
    if name in _FLAGS:
        if equals and name not in _WITH_OR_WITHOUT:
            raise UsageError(f"{name} takes no value, but got {value!r}")
        _FLAGS[name](options, value)
    elif name in _VALUED:
        _take_value(name, value if equals else _next(name, name, words), options)
    else:
        raise UsageError(_unknown(name))


def _shorts(word: str, words: list[str], options: Options) -> None:
    """Take ``-it``, ``-uroot``, ``-u root`` and, as docker does, ``-u=root``."""
    rest = word[1:]
    while rest:
        short, rest = f"-{rest[0]}", rest[1:]
        name = _SHORT.get(short)
        if name is None:
            raise UsageError(_unknown(short))
        if name in _FLAGS:
            _FLAGS[name](options, "")
        else:
            value = rest.removeprefix("=") if rest else _next(short, name, words)
            _take_value(name, value, options)
            return


def _take_value(name: str, value: str, options: Options) -> None:
    _VALUED[name](options, value if name in _UNCHECKED else _text(name, value))


def _next(typed: str, name: str, words: list[str]) -> str:
    if not words:
        raise MissingValue(f"{typed} needs a value, but is the last word; see: rind --help", name)
    return words.pop(0)


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 # only a mistake needs it

    near = get_close_matches(name, [*_FLAGS, *_VALUED], 1) if name.startswith("--") else []
    hint = f"did you mean {near[0]}?" if near else "see: rind --help"
    seen = name.encode(errors="backslashreplace").decode()
    return f"unknown option {seen}: {hint} (a command that begins with a dash goes after --)"
