"""--explain: shows the command, its container and the reason, without running it."""

from __future__ import annotations

from rind.cli.report import clean
from rind.cli.translate import described, docker_words, wanted_from
from rind.cli.variables import environment
from rind.decide.by_hand import by_hand, pasted
from rind.decide.dev_container import METADATA
from rind.find.resolve import profile_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rind.cli.options import Options
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.find.blocking import EarlyClient
    from rind.model import Container, ExecConfig

    Print = Callable[[str], None]

__all__ = ["docker_exec", "explain"]


def explain(
    client: EarlyClient, options: Options, command: Command, env: Mapping[str, str], out: Print
) -> None:
    """Print the command, its container and the reason, and the equivalent docker command line.

    Args:
        client: a client of the engine.
        options: the parsed command line.
        command: the command that the options describe.
        env: our own environment.
        out: prints to stdout, one or more lines.

    Raises:
        SelectionError: there is no container to run in.
        EngineError: the engine failed.
    """
    conditions = wanted_from(options)
    found = client.find_all(conditions) if options.all else [client.find(conditions)]
    shown = None
    for there, selected in found:
        if there.endpoint != shown:
            shown = there.endpoint
            out(f"engine:    {clean(f'{shown.url} (from {shown.source})')}")
        container = selected.container
        profile = profile_of(container, options.wanted.label)
        config = there.settle(command, container, profile)
        pre_step = profile.pre_step if options.command.pre_step else None
        lines = {
            "container": f"{container.name} ({selected.reason})",
            "command": described(options, profile),
            "pre-step": pre_step or "none",
            "user": _from(container, profile, options, "user", config.user),
            "workdir": _from(container, profile, options, "workdir", config.workdir),
            "env": _variables(profile, options, config) or "none",
            "tty": "yes" if config.tty else "no",
        }
        if config.ssh_agent is not None:
            label = "" if config.needs_ssh_agent else f" ({options.wanted.label}.ssh-agent)"
            lines["ssh agent"] = (config.ssh_agent or "none here") + label
        for field, value in lines.items():
            out(f"{field + ':':10} {clean(value)}")
        docker = docker_words(options, client.endpoint, there.endpoint)
        out(docker_exec(docker, options, config, env, container.name))


def _from(container: Container, profile: Profile, options: Options, field: str, value: str) -> str:
    """Return a field's value, and its origin unless that is an option."""
    if not value:
        return "the container's own"
    label = f"{options.wanted.label}.{field}"
    if getattr(options.command, field) is not None:
        return value
    if label in container.labels:
        return f"{value} ({label})"
    return f"{value} ({METADATA})" if getattr(profile, field) else value


def _variables(profile: Profile, options: Options, config: ExecConfig) -> str:
    """Return the names of the variables, by origin; the origin is not shown for options."""
    origins = {
        **dict.fromkeys(profile.remote_env, f" ({METADATA})"),
        **{name: f" ({options.wanted.label}.env.{name})" for name in profile.env},
        **dict.fromkeys(profile.pass_env, f" ({options.wanted.label}.pass-env)"),
        **dict.fromkeys((variable.partition("=")[0] for variable in options.env), ""),
    }
    found: dict[str, list[str]] = {}
    for variable in config.env:
        name = variable.partition("=")[0]
        found.setdefault(origins.get(name, ""), []).append(name)
    return ", ".join(" ".join(names) + origin for origin, names in found.items())


def docker_exec(
    docker: Sequence[str],
    options: Options,
    config: ExecConfig,
    env: Mapping[str, str],
    container: str,
) -> str:
    """Return the equivalent ``docker exec`` command line, quoted for this shell.

    It is written as a person would type it; only with ``--verbose`` does it show the exact wrapper
    of the pre-step. A variable that has the same value here is passed by its name, and an
    environment file by its path: their contents may be secret.
    """
    words = [*docker, "exec"]
    flags = {"d": options.detach, "i": config.stdin, "t": config.tty}
    if letters := "".join(flag for flag, is_set in flags.items() if is_set):
        words.append(f"-{letters}")
    words += ["--privileged"] if config.privileged else []
    for option, value in (
        ("--detach-keys", options.detach_keys),
        ("-u", config.user),
        ("-w", config.workdir),
    ):
        words += [option, value] if value else []
    from_files = environment(options.env_files, [], env)
    for file in options.env_files:
        words += ["--env-file", file]
    for variable in config.env:
        name, _, value = variable.partition("=")
        if from_files.get(name) != value:
            words += ["-e", name if env.get(name) == value else variable]
    argv = config.argv if options.verbosity > 0 else by_hand(config.argv)
    return " ".join(map(pasted, [*words, container, *argv]))
