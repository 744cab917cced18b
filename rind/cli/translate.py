"""Translate options into the library's types."""

from __future__ import annotations

from rind.base.records import replace
from rind.cli.parser import LONG
from rind.decide.plan import BARE, BUILTINS
from rind.endpoint.endpoint import resolve_endpoint
from rind.model import is_path
from rind.terminal.standard import STDERR_FD, STDIN_FD, STDOUT_FD, can_read, is_null
from rind.terminal.tty import in_foreground, is_terminal, terminal_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rind.cli.options import Options
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.decide.wanted import Wanted
    from rind.endpoint.endpoint import Endpoint

__all__ = ["command_from", "described", "docker_words", "endpoint_from", "wanted_from"]


def wanted_from(options: Options) -> Wanted:
    """Return the options' conditions on the container."""
    return replace(
        options.wanted,
        paths=() if options.all else _paths(options.words),
        map_paths=True if options.command.protocol else options.command.map_paths,
    )


def _paths(words: Sequence[str]) -> tuple[str, ...]:
    """Return the absolute paths in words, in the forms that ``PathMap.word`` maps."""
    found = []
    for word in words:
        value = word.partition("=")[2] if word.startswith("-") else word
        value = value.removeprefix("file://")
        if is_path(value):
            found.append(value)
    return tuple(found)


def endpoint_from(options: Options, env: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of the engine that the options choose.

    Raises:
        UsageError: as :func:`~rind.endpoint.endpoint.resolve_endpoint`.
    """
    return resolve_endpoint(env, host=options.host, context=options.context)


def docker_words(options: Options, own: Endpoint, endpoint: Endpoint) -> list[str]:
    """Return the first words of a docker command line that addresses an engine.

    Args:
        options: the options that chose our own engine.
        own: the endpoint of our own engine.
        endpoint: the endpoint of the engine to address, which may be another node of a swarm.
    """
    if endpoint == own:
        flags = {"--host": options.host, "--context": options.context}
    elif endpoint.context:
        flags = {"--host": None, "--context": endpoint.context}
    else:
        flags = {"--host": endpoint.url, "--context": None}
    found = [word for name, value in flags.items() if value for word in (name, value)]
    return ["docker", *found]


def command_from(options: Options, variables: Mapping[str, str], env: Mapping[str, str]) -> Command:
    """Return the command that the options describe; on terminals, by default with a TTY."""
    tty = _wants_tty(options)
    return replace(
        options.command,
        argv=options.words or BARE,
        env=variables,
        env_defaults=terminal_variables(env) if tty else {},
        tty=tty,
        # /dev/null is attached only to a TTY: there, a stdin that is not attached never ends.
        stdin=_attaches_stdin(options) and (not is_null(STDIN_FD) or (tty and can_read(STDIN_FD))),
        output=not options.detach,
        hint=_hint(options),
    )


def _hint(options: Options) -> str:
    """Return the hint that the pre-step's shell prints if the first word is not a program."""
    first = options.words[0] if options.words else ""
    is_plain = first[:1] != "-" and "=" not in first and not first.split()[1:]
    if is_plain and first not in BUILTINS and f"--{first}" not in LONG:
        return ""
    from rind.cli.hints import words_hint

    return words_hint(options)


def described(options: Options, profile: Profile) -> str:
    """Return the command as the user typed it, else the default from the container's labels."""
    import shlex

    script = [] if options.command.script is None else ["-c", options.command.script]
    shell = options.command.shell or profile.shell
    return shlex.join([*script, *options.words]) or profile.command or shell


def _wants_tty(options: Options) -> bool:
    if options.tty is not None:
        return options.tty
    if options.command.protocol:
        return False
    # A TTY merges stdout and stderr, so both must be terminals; a background job may not use it.
    streams = STDIN_FD, STDOUT_FD, STDERR_FD
    return _attaches_stdin(options) and all(map(is_terminal, streams)) and in_foreground(STDIN_FD)


def _attaches_stdin(options: Options) -> bool:
    return options.stdin and not options.detach and not options.all
