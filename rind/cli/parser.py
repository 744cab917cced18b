"""Parses the command line's words into :class:`~rind.cli.options.Options`. Pure.

The standard library's parsers do not fit. argparse rejects a value that begins with a dash
(``-c '-n'``, ``-w -dir``), looks for options among the command's words, and is slow to import.
getopt stops at the first word that is not an option, but accepts any unique prefix of a long
option, so that a new option breaks old command lines; and it has no optional values
(``--wait=5m``).
"""

from __future__ import annotations

import re

from rind.base.records import replace
from rind.cli.option_table import OPTIONS, WAIT_DEFAULT
from rind.cli.options import Options
from rind.decide.plan import Command
from rind.decide.profile import DEFAULT_LABEL
from rind.decide.wanted import Wanted
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from rind.cli.options import Option

__all__ = ["LONG", "SHORT", "MissingValue", "parse", "parse_shim"]

LONG: Final = {option.long: option for group in OPTIONS.values() for option in group}
"""The options by their long names."""

SHORT: Final = {option.short: option for option in LONG.values() if option.short}
"""The options by their short names."""

_MOST_SHOWN: Final = 40
"""Characters of a value that a message shows."""

_OPPOSITES: Final = {"--tty": "--no-tty", "--no-tty": "--tty"}
"""Pairs of options of which the last one counts."""


class MissingValue(UsageError):
    """The last word is an option that needs a value.

    Attributes:
        option: that option.
    """

    def __init__(self, message: str, option: Option) -> None:
        super().__init__(message)
        self.option = option


def parse(argv: Sequence[str], env: Mapping[str, str]) -> Options:
    """Parse the words after the program's name; take defaults from ``env``.

    Raises:
        MissingValue: the last word is an option that needs a value.
        UsageError: an option is unknown, or its value is invalid.
    """
    words = list(argv)
    if words[:1] == ["--complete"]:  # only completion scripts use it, with any words
        return Options(action="complete", words=words[1:])
    options = Options(
        command=Command(
            map_paths=True if env.get("RIND_MAP_PATHS") else None,
            ssh_agent=True if env.get("RIND_SSH_AGENT") else None,
        ),
        wanted=Wanted(label=_default("RIND_LABEL", env) or DEFAULT_LABEL),
    )
    used: dict[str, Option] = {}
    while words and words[0].startswith("-") and words[0] != "-":
        left = len(words)
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            parsed = [_long(word, words, options)]
        else:
            parsed = _shorts(word, words, options)
        for option in parsed:
            used[option.long] = option
            used.pop(_OPPOSITES.get(option.long, ""), None)
        if parsed[0].long != "--shim":
            options.typed += argv[len(argv) - left : len(argv) - len(words)]
    options.words = words
    _check(options, used)
    typed = options.wanted
    if not typed.container:
        # A typed selector takes precedence over the container that the environment names.
        narrowed = typed.service or typed.project or typed.index or options.all
        options.wanted = replace(
            typed,
            container=None if narrowed else _default("RIND_CONTAINER", env),
            service=typed.service or _default("RIND_SERVICE", env),
            project=typed.project or _default("RIND_PROJECT", env),
        )
    return options


def _default(name: str, env: Mapping[str, str]) -> str | None:
    value = env.get(name)
    return _text(name, value) if value else None


def _text(where: str, value: str) -> str:
    """Return ``value`` if it is valid UTF-8: the engine accepts nothing else.

    Raises:
        UsageError: it is not; the message begins with ``where``.
    """
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        cut = "..." if len(value) > _MOST_SHOWN else ""
        raise UsageError(
            f"{where} needs text in UTF-8, but got {value[:_MOST_SHOWN]!r}{cut}"
        ) from exc
    return value


def _check(options: Options, used: Mapping[str, Option]) -> None:
    for name, option in used.items():
        for excluded in option.excludes:
            if excluded in used:
                raise UsageError(f"{name} cannot be combined with {excluded}")
        if option.needs and option.needs not in used:
            raise UsageError(f"{name} is only for {option.needs}")
    first = options.words[0] if options.words else ""
    if first and options.action in {"list", "doctor"}:
        raise UsageError(f"--{options.action} runs no command, but got {first!r}")
    # ``--wait 60 ls`` would run the command ``60``.
    if options.wait == WAIT_DEFAULT and _is_duration(first):
        raise UsageError(f"--wait takes its duration after an equals sign: --wait={first}")


def _is_duration(word: str) -> bool:
    return re.fullmatch(r"\d+(ms|[smh])?", word, re.ASCII) is not None


def parse_shim(name: str, words: Sequence[str], env: Mapping[str, str]) -> Options:
    """Return the options of a call through a shim: all words belong to the command."""
    options = parse([], env)
    options.words = [name, *words]
    return options


def _long(word: str, words: list[str], options: Options) -> Option:
    name, equals, value = word.partition("=")
    option = LONG.get(name)
    if option is None:
        raise UsageError(_unknown(name))
    if option.metavar.startswith("["):
        option.read(options, value)
    elif option.metavar:
        _read(option, value if equals else _next(name, option, words), options)
    elif equals:
        raise UsageError(f"{name} takes no value, but got {value!r}")
    else:
        option.read(options, "")
    return option


def _shorts(word: str, words: list[str], options: Options) -> list[Option]:
    """Parse ``-it``, ``-uroot``, ``-u root`` and, as docker does, ``-u=root``."""
    rest, parsed = word[1:], []
    while rest:
        short, rest = f"-{rest[0]}", rest[1:]
        option = SHORT.get(short)
        if option is None:
            raise UsageError(_unknown(short))
        parsed.append(option)
        if option.metavar and not option.metavar.startswith("["):
            value = rest.removeprefix("=") if rest else _next(short, option, words)
            _read(option, value, options)
            return parsed
        option.read(options, "")
    return parsed


def _read(option: Option, value: str, options: Options) -> None:
    option.read(options, _text(option.long, value) if option.is_checked else value)


def _next(typed: str, option: Option, words: list[str]) -> str:
    if not words:
        raise MissingValue(f"{typed} needs a value, but is the last word; see: rind --help", option)
    return words.pop(0)


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [*LONG], 1) if name.startswith("--") else []
    hint = f": did you mean {near[0]}?" if near else "; see: rind --help"
    shown = name.encode(errors="backslashreplace").decode()
    return f"unknown option {shown}{hint} (a command that begins with a dash goes after --)"
