"""The beginning of an ordinary run: one container, one attached command.

Everything up to the start request happens before asyncio is loaded: see :mod:`rind.find.blocking`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from itertools import count

from rind.base.light import pattern
from rind.base.records import dataclass
from rind.cli.translate import command_from, described, docker_words, endpoint_from, wanted_from
from rind.decide.plan import wants_ssh_agent
from rind.decide.selection import AmbiguousError
from rind.endpoint.docker_config import docker_setting
from rind.errors import ExitStatus, RindError, StartError
from rind.execution.local import Local
from rind.find.blocking import EarlyClient
from rind.find.resolve import is_elsewhere, profile_of
from rind.terminal.detach_keys import parse_keys
from rind.terminal.standard import STDERR_FD, STDIN_FD, local_window_size
from rind.terminal.tty import is_terminal, raw_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rind.base.deadline import Deadline
    from rind.cli.options import Options
    from rind.decide.profile import Profile
    from rind.decide.selection import Selected
    from rind.execution.begin import Created
    from rind.execution.direct import Direct
    from rind.model import Caller, Container, ExecConfig

__all__ = [
    "Job",
    "Prepared",
    "announce",
    "can_ask",
    "hint",
    "hinted",
    "mention_elsewhere",
    "prepare",
    "start",
    "wanted_keys",
]


_LONG_ID = pattern("([0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the program: its options, and its surroundings.

    Attributes:
        options: from the command line.
        variables: for the command.
        env: our own environment.
        deadline: of the run; waiting for the user, or for ``--wait``, does not count.
        say: prints a line to the user.
        out: prints text on stdout.
    """

    options: Options
    variables: Mapping[str, str]
    env: Mapping[str, str]
    deadline: Deadline
    say: Callable[[str], None]
    out: Callable[[str], None]

    @property
    def too_late(self) -> str:
        """The message if the time is over, and no command was started."""
        action = self.options.action
        what = "no command was started" if action == "run" else f"--{action} did not end"
        return f"{what} within {self.deadline.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that is ready to be started.

    Attributes:
        created: its exec instance.
        size: the window size (rows, columns) that it begins with, with a TTY.
        detach_keys: the bytes that detach when typed; empty for none.
        docker: the first words of a docker command line for the engine.
    """

    early: EarlyClient
    selected: Selected
    config: ExecConfig
    created: Created
    size: tuple[int, int] | None
    detach_keys: bytes
    docker: Sequence[str]


def prepare(job: Job) -> Prepared | int | None:
    """Find the container, settle the command and create its exec instance.

    Returns:
        The exit status if the command was started by ``--detach``, and the run is over; None if the
        run needs an event loop from its beginning.

    Raises:
        RindError: with the message and the exit status for the user.
    """
    options, env, say = job.options, job.env, job.say
    if options.action != "run" or options.all or options.wait is not None:
        return None
    command = command_from(options, job.variables, env)
    detach_keys = wanted_keys(options, env)
    endpoint = endpoint_from(options, env)
    early = EarlyClient(endpoint, env, on_request=_told(say) if options.verbosity > 1 else bool)
    try:
        early, selected = early.find(wanted_from(options))
    except AmbiguousError:
        if can_ask(env):
            return None
        raise
    container = selected.container
    profile = profile_of(container, options.wanted.label)
    if wants_ssh_agent(command, profile) and not options.detach:
        return None
    mention_elsewhere(options, container, early.caller, say)
    config = early.settle(command, container, profile)
    if options.verbosity > 0:
        announce(options, [(selected, early.endpoint.url)], profile, say)
    try:
        if options.detach:
            early.detach(container, config)
            return 0
        created = early.create(container, config)
    except StartError as exc:
        raise hinted(exc, hint(exc, options, partial(_running, early))) from exc
    size = local_window_size() if config.tty else None
    docker = docker_words(options, endpoint, early.endpoint)
    return Prepared(early, selected, config, created, size, detach_keys, docker)


def start(prepared: Prepared, deadline: Deadline) -> Direct:
    """Request the start of a command, with the local terminal in raw mode if it has a TTY.

    Returns:
        What serves the command as long as that needs no event loop.

    Raises:
        EngineError: the request could not be sent.
    """
    config, size = prepared.config, prepared.size
    if config.tty and config.stdin and is_terminal(STDIN_FD):
        # From here on, typed characters are for the command, and must not be echoed.
        raw_mode(STDIN_FD).begin()
    early, container = prepared.early, prepared.selected.container
    begun = early.start(prepared.created, tty=config.tty, size=size)
    local = Local(tty=config.tty, detach_keys=prepared.detach_keys)
    return early.serve(begun, container, config, local=local, deadline=deadline)


def wanted_keys(options: Options, env: Mapping[str, str]) -> bytes:
    """Return the detach keys: the option's, or else those of docker's configuration file.

    Raises:
        UsageError: they are invalid, or the file is.
    """
    keys = options.detach_keys
    if keys is not None:
        return parse_keys(keys)
    return parse_keys(docker_setting(env, "detachKeys"), "detachKeys in docker's config.json")


def announce(
    options: Options,
    found: Sequence[tuple[Selected, str]],
    profile: Profile,
    say: Callable[[str], None],
) -> None:
    """Say which command runs in which containers, on which engines, and why there."""
    names: dict[str, list[str]] = {}
    for selected, url in found:
        one = selected.container
        name = f"{one.name} ({selected.reason})" if len(found) == 1 else one.title
        names.setdefault(url, []).append(name)
    places = "; ".join(f"{', '.join(there)} on {url}" for url, there in names.items())
    say(f"in {places}: {described(options, profile)}")


def _told(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that prints each request, with the seconds since the first one."""
    begun = time.monotonic()
    numbers = count(1)

    def tell(request: str) -> None:
        after, short = time.monotonic() - begun, _LONG_ID.sub(r"\1", request)
        say(f"request {next(numbers)} after {after:.3f} s: {short}")

    return tell


def mention_elsewhere(
    options: Options, container: Container, caller: Caller, say: Callable[[str], None]
) -> None:
    """Mention the container's project or swarm, if the user is in another project's directory."""
    loud = options.verbosity >= 0 and is_terminal(STDERR_FD)
    if loud and options.wanted.container is None and is_elsewhere(container, caller):
        where = f"of the project in {container.folder}" if container.folder else "of the swarm"
        say(f"running in {container.title}, {where}")


def can_ask(env: Mapping[str, str]) -> bool:
    """Whether the terminal can show the picker."""
    able = env.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return able and is_terminal(STDIN_FD) and is_terminal(STDERR_FD)


def hint(exc: StartError, options: Options, running: Callable[[], Sequence[Container]]) -> str:
    """Return a hint at what to type instead, if the command's first word is no program; else empty.

    Args:
        exc: why the command was not started. If its pre-step's shell printed that, its text ends
            with a hint already.
        options: from the command line.
        running: returns the running containers; the first word may name one of them.
    """
    if exc.exit_status != ExitStatus.NOT_FOUND:
        return ""
    from rind.cli.hints import names_hint, shell_hint, words_hint

    if of_shell := shell_hint(exc, options):
        return of_shell
    if by_words := words_hint(options):
        return "" if exc.printed else by_words
    return names_hint(options, running()) if options.wanted.container is None else ""


def hinted(exc: StartError, hint: str) -> StartError:
    """Return the error with the hint in its message, unless that is empty."""
    return StartError(f"{exc} ({hint})" if hint else str(exc), exc.exit_status)


def _running(early: EarlyClient) -> list[Container]:
    with suppress(RindError):
        return early.running()
    return []
