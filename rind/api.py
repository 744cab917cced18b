"""The embedding API: an engine, the containers on it, and commands in them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final, Self

from rind.endpoint import Endpoint, resolve_endpoint
from rind.engine import Engine
from rind.errors import Refused, SelectionError
from rind.plan import Command, ExecConfig, Host, plan
from rind.process import Process, start_detached
from rind.profile import DEFAULT_LABEL, read_profile
from rind.selection import (
    COMPOSE,
    Container,
    Place,
    Wanted,
    narrow,
    require_running,
    select,
    stands_elsewhere,
)
from rind.workdir import Mount, host_path

__all__ = ["Client", "Target", "connect"]

_COMPOSE_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def connect(
    host: str | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> "Client":
    """Return a client of one engine, to be used as an async context manager.

    Args:
        host: ``unix:///path`` or ``tcp://host:port``; by default the engine is found as the
            docker command finds it.
        context: the name of a docker context.
        environ: the variables that may say where the engine is, and that a container's profile
            may ask for; by default ``os.environ``.

    Raises:
        UsageError: the host or the context has no meaning.
    """
    environ = os.environ if environ is None else environ
    return Client(resolve_endpoint(environ, host=host, context=context), environ)


class Client:
    """A connection to one engine; many commands may run at once. Made by :func:`connect`."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        cwd = _working_directory()
        self._host = Host(cwd, environ, os.getuid(), os.getgid())
        self._place = Place(cwd, endpoint.url, _compose_folder(cwd))
        self._engine = Engine(endpoint)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or what answers is not a Docker Engine.
        """
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._engine.aclose()

    async def find(self, wanted: Wanted) -> "Target":
        """Find the one container to run in, as the command line does.

        Raises:
            AmbiguousError: several fit.
            SelectionError: none does, or it is not running.
            EngineError: the engine failed.
        """
        if wanted.container is not None:
            return self.target(require_running(await self._named(wanted.container)), wanted.label)
        up = await self._containers(wanted, up=True)
        down: list[Container] = []
        neighbours: list[Container] = []
        if not narrow(up, wanted, self._place):
            down = await self._containers(wanted, up=False)
            neighbours = _localized(await self._engine.containers([f"{COMPOSE}.project"], up=True))
        return self.target(select(up, down, wanted, self._place, neighbours), wanted.label)

    async def find_all(self, wanted: Wanted) -> list["Target"]:
        """Find every running container that fits, by name, wherever we stand.

        Raises:
            SelectionError: none does.
            EngineError: the engine failed.
        """
        everywhere = replace(self._place, cwd=PurePosixPath())
        up = narrow(await self._containers(wanted, up=True), wanted, everywhere)
        running = [it for it in up if it.state == "running"]
        if not running or wanted.container is not None:
            return [await self.find(wanted)]
        return [self.target(it, wanted.label) for it in sorted(running, key=lambda it: it.name)]

    async def running(self, labels: Sequence[str] = ()) -> list[Container]:
        """List the running containers that have all of ``labels``, each ``KEY`` or ``KEY=value``.

        Raises:
            EngineError: the engine failed.
        """
        up = await self._engine.containers(labels, up=True)
        return [it for it in up if it.state == "running"]

    def target(self, container: Container, label: str = DEFAULT_LABEL) -> "Target":
        """Return what runs commands in ``container``, as the labels that begin so say.

        Raises:
            SelectionError: a label is unknown, or its value has no meaning.
        """
        return Target(self._engine, container, label, self._host)

    def stands_elsewhere(self, container: Container) -> bool:
        """Tell whether we are in a Compose project's folder, and ``container`` is of another's."""
        return stands_elsewhere(container, self._place)

    async def _named(self, name: str) -> Container:
        try:
            return _localized([await self._engine.container(name)])[0]
        except Refused as exc:
            text = f"{exc.text} on {self.endpoint.url}; see: docker ps --all"
            raise SelectionError(text) from exc

    async def _containers(self, wanted: Wanted, *, up: bool) -> list[Container]:
        return _localized(await self._engine.containers(wanted.filters, up=up))


class Target:
    """A container to run commands in, with what its labels say about that.

    Attributes:
        container: as it was found.
        profile: its labels' meaning.
    """

    def __init__(self, engine: Engine, container: Container, label: str, host: Host) -> None:
        self.container = container
        self.profile = read_profile(container.labels, label)
        self._engine = engine
        self._host = host

    async def plan(self, command: Command) -> ExecConfig:
        """Settle what would be executed.

        Raises:
            UsageError: a word of it cannot be executed.
            EngineError: the engine failed.
        """
        config = plan(command, self.profile, self.container, self._host)
        if command.env_defaults:
            taken = await self._engine.variables(self.container.id)
            config = config.with_defaults(command.env_defaults, unless=taken)
        return config

    async def start(self, command: Command, size: tuple[int, int] | None = None) -> Process:
        """Start a command; the process is an async context manager.

        Args:
            command: what to run.
            size: the window size (rows, columns) that it begins with, with a TTY.

        Raises:
            UsageError: a word of it cannot be executed.
            StartError: the engine would not create or start it.
            EngineError: the engine failed.
        """
        return await Process.start(self._engine, self.container, await self.plan(command), size)

    async def detach(self, command: Command) -> str:
        """Start a command that nobody is attached to; return its exec ID.

        Raises:
            UsageError, StartError, EngineError: as :meth:`start`.
        """
        return await start_detached(self._engine, self.container, await self.plan(command))

    async def refresh(self) -> Container:
        """Ask for the container's present state.

        Raises:
            Refused: it is no more (404).
            EngineError: the engine failed.
        """
        return await self._engine.container(self.container.id)


def _working_directory() -> PurePosixPath:
    try:
        return PurePosixPath(Path.cwd())
    except OSError:  # it was removed
        return PurePosixPath()


def _compose_folder(cwd: PurePosixPath) -> PurePosixPath | None:
    for folder in (cwd, *cwd.parents):
        if any(Path(folder, name).is_file() for name in _COMPOSE_FILES):
            return folder
    return None


def _localized(containers: list[Container]) -> list[Container]:
    """Name the containers' folders as our working directory is named: symbolic links resolved."""
    return [
        replace(
            it,
            folder=it.folder and os.path.realpath(it.folder),
            mounts=[Mount(os.path.realpath(host_path(m.source)), m.target) for m in it.mounts],
        )
        for it in containers
    ]
