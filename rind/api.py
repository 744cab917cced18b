"""The embedding API: an engine, the containers on it, and commands in them.

It prints nothing, reads no command line, handles no signal, starts no thread and leaves the local
terminal alone; :func:`rind.attach.attach_terminal` is for that.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeVar, Unpack, overload

from rind.endpoint import Endpoint, resolve_endpoint
from rind.engine import Engine
from rind.errors import CommandFailed, Refused, SelectionError, TimedOut, UsageError
from rind.piped import PipedProcess
from rind.plan import Command, CommandOptions, ExecConfig, Host, plan
from rind.process import start_detached
from rind.profile import DEFAULT_LABEL, read_profile
from rind.selection import (
    COMPOSE,
    AmbiguousError,
    Container,
    Place,
    Wanted,
    WantedFields,
    narrow,
    require_running,
    select,
    stands_elsewhere,
)
from rind.streams import DEFAULT_LIMIT, DEVNULL, PIPE, LocalFile
from rind.workdir import Mount, host_path

__all__ = ["Client", "CompletedProcess", "Target", "connect", "run", "run_sync"]

_COMPOSE_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

T = TypeVar("T", str, bytes)


@dataclass(frozen=True, slots=True)
class CompletedProcess(Generic[T]):
    """A command that has ended, as :class:`subprocess.CompletedProcess` has it.

    Attributes:
        args: its words, or its script and the script's parameters.
        returncode: the exit status; 128+n where signal n ended it.
        stdout, stderr: what it wrote; None for what was not captured.
        container: the name of the container that it ran in.
    """

    args: list[str]
    returncode: int
    stdout: T
    stderr: T
    container: str


class RunOptions(CommandOptions, total=False):
    """The keywords of :meth:`Target.run`."""

    timeout: float | None
    check: bool
    stdout: int | LocalFile
    stderr: int | LocalFile


class AnywhereOptions(RunOptions, WantedFields, total=False):
    """The keywords of :func:`run`: those of :meth:`Target.run`, :meth:`Client.find`, a host."""

    host: str | None
    context: str | None


@overload
async def run(
    argv: Sequence[str] = (),
    *,
    text: Literal[True],
    input: str | None = None,
    **options: Unpack[AnywhereOptions],
) -> CompletedProcess[str]: ...


@overload
async def run(
    argv: Sequence[str] = (),
    *,
    text: Literal[False] = False,
    input: bytes | None = None,
    **options: Unpack[AnywhereOptions],
) -> CompletedProcess[bytes]: ...


async def run(argv: Sequence[str] = (), **options: Any) -> CompletedProcess[Any]:
    """Run a command in the container that the command line would choose.

        done = await rind.run(["./manage.py", "check"], timeout=60, check=True)

    Args:
        argv: the command's words.
        options: ``host`` and ``context`` as :func:`connect` has them; ``container``, ``service``,
            ``project``, ``index``, ``label`` as :meth:`Client.find`; all else as
            :meth:`Target.run`.

    Raises:
        SelectionError: there is not exactly one container to run in.
        CommandFailed, TimedOut, UsageError, StartError, EngineError: as :meth:`Target.run`.
    """
    where = {name: options.pop(name) for name in ("host", "context") if name in options}
    names = WantedFields.__annotations__
    wanted = Wanted(**{name: options.pop(name) for name in names if name in options})
    async with connect(**where) as client:
        target = await client.find(wanted)
        done: CompletedProcess[Any] = await target.run(argv, **options)
        return done


@overload
def run_sync(
    argv: Sequence[str] = (),
    *,
    text: Literal[True],
    input: str | None = None,
    **options: Unpack[AnywhereOptions],
) -> CompletedProcess[str]: ...


@overload
def run_sync(
    argv: Sequence[str] = (),
    *,
    text: Literal[False] = False,
    input: bytes | None = None,
    **options: Unpack[AnywhereOptions],
) -> CompletedProcess[bytes]: ...


def run_sync(argv: Sequence[str] = (), **options: Any) -> CompletedProcess[Any]:
    """Do what :func:`run` does where there is no event loop.

        done = rind.run_sync(["./manage.py", "check"], check=True)

    Raises:
        RindError: as :func:`run`.
    """
    return asyncio.run(run(argv, **options))


def connect(
    host: str | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> "Client":
    """Return a client of one engine, to be used as an async context manager.

        async with rind.connect() as client:
            print(await client.versions())

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

    async def find(self, wanted: Wanted | None = None, **fields: Unpack[WantedFields]) -> "Target":
        """Find the one container to run in, as the command line does.

            web = await client.find(service="web")

        Args:
            wanted: what is asked of it; or say it by keywords, named as its attributes are.

        Raises:
            AmbiguousError: several fit.
            SelectionError: none does, or it is not running.
            EngineError: the engine failed.
        """
        wanted = wanted or Wanted(**fields)
        if wanted.container is not None:
            return self.target(require_running(await self._named(wanted.container)), wanted.label)
        up = await self.containers(wanted)
        down: list[Container] = []
        neighbours: list[Container] = []
        if not narrow(up, wanted, self._place):
            down = _localized(await self._engine.containers(wanted.filters, up=False))
            neighbours = _localized(await self._engine.containers([f"{COMPOSE}.project"], up=True))
        return self.target(select(up, down, wanted, self._place, neighbours), wanted.label)

    async def wait_for(
        self, wanted: Wanted, told: Callable[[str], None] = lambda _: None
    ) -> "Target":
        """Find the one container to run in, as soon as it runs, and is healthy if that is checked.

            async with asyncio.timeout(60):
                web = await client.wait_for(rind.Wanted(service="web"))

        Args:
            wanted: what is asked of it.
            told: is called with what is waited for, first and whenever something changed.

        Raises:
            AmbiguousError: several fit.
            EngineError: the engine failed.
        """
        async with self._engine.changes() as changes:
            while True:
                try:
                    target = await self.find(wanted)
                except AmbiguousError:
                    raise
                except SelectionError as exc:
                    told(str(exc))
                else:
                    health = target.container.health
                    if health in {"", "healthy"}:
                        return target
                    told(f"the container {target.container.name} is not healthy ({health})")
                await anext(changes)

    async def containers(
        self, wanted: Wanted | None = None, **fields: Unpack[WantedFields]
    ) -> list[Container]:
        """List the containers that are up, paused ones too, and that could be wanted.

            for container in await client.containers(project="shop"):
                print(container.name, container.state)

        Raises:
            EngineError: the engine failed.
        """
        wanted = wanted or Wanted(**fields)
        if wanted.container is not None:
            return [await self._named(wanted.container)]
        return _localized(await self._engine.containers(wanted.filters, up=True))

    async def versions(self) -> tuple[str, str]:
        """Return the engine's version, and that of the API that is spoken with it.

            engine, api = await client.versions()

        Raises:
            EngineError: the engine failed.
        """
        return await self._engine.version(), "{}.{}".format(*self._engine.api_version)

    async def find_all(
        self, wanted: Wanted | None = None, **fields: Unpack[WantedFields]
    ) -> list["Target"]:
        """Find every running container that fits, by name, wherever we stand.

            for target in await client.find_all(project="shop"):
                print((await target.run(["hostname"])).stdout)

        Args:
            wanted: what is asked of them; or say it by keywords, named as its attributes are.

        Raises:
            SelectionError: none does.
            EngineError: the engine failed.
        """
        wanted = wanted or Wanted(**fields)
        everywhere = replace(self._place, cwd=PurePosixPath())
        up = narrow(await self.containers(wanted), wanted, everywhere)
        running = [it for it in up if it.state == "running"]
        if not running or wanted.container is not None:
            return [await self.find(wanted)]
        return [self.target(it, wanted.label) for it in sorted(running, key=lambda it: it.name)]

    async def running(self, labels: Sequence[str] = ()) -> list[Container]:
        """List the running containers that have all of ``labels``, each ``KEY`` or ``KEY=value``.

            print([container.name for container in await client.running()])

        Raises:
            EngineError: the engine failed.
        """
        up = await self._engine.containers(labels, up=True)
        return [it for it in up if it.state == "running"]

    def target(self, container: Container, label: str = DEFAULT_LABEL) -> "Target":
        """Return what runs commands in ``container``, as the labels that begin so say.

            for container in await client.containers():
                print((await client.target(container).run(["hostname"])).stdout)

        Raises:
            SelectionError: a label is unknown, or its value has no meaning.
        """
        return Target(self._engine, container, label, self._host)

    def stands_elsewhere(self, container: Container) -> bool:
        """Tell whether we are in a Compose project's folder, and ``container`` is of another's.

            assert not client.stands_elsewhere(web.container)

        Standing nowhere in particular is not elsewhere.
        """
        return stands_elsewhere(container, self._place)

    async def _named(self, name: str) -> Container:
        try:
            return _localized([await self._engine.container(name)])[0]
        except Refused as exc:
            text = f"{exc.text} on {self.endpoint.url}; see: docker ps --all"
            raise SelectionError(text) from exc


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

            print((await web.plan(rind.Command(argv=["ls"]))).argv)

        Raises:
            UsageError: a word of it cannot be executed.
            EngineError: the engine failed.
        """
        config = plan(command, self.profile, self.container, self._host)
        if command.env_defaults:
            taken = await self._engine.variables(self.container.id)
            config = config.with_defaults(command.env_defaults, unless=taken)
        return config

    async def start(self, command: Command, size: tuple[int, int] | None = None) -> PipedProcess:
        """Start a command, with no streams connected, as for :func:`attach_terminal`.

            async with await web.start(rind.Command(argv=["echo", "x"])) as process:
                while (part := await process.read()) is not None:
                    stream, data = part
                status = await process.wait()

        Args:
            command: what to run.
            size: the window size (rows, columns) that it begins with, with a TTY.

        Returns:
            The process, to be used as an async context manager.

        Raises:
            UsageError: a word of it cannot be executed.
            StartError: the engine would not create or start it.
            EngineError: the engine failed.
        """
        config = await self.plan(command)
        return await PipedProcess.start(self._engine, self.container, config, size)

    @asynccontextmanager
    async def open_process(  # noqa: PLR0913 # as many as asyncio.subprocess has
        self,
        argv: Sequence[str] = (),
        *,
        stdin: int | bytes | LocalFile = PIPE,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        size: tuple[int, int] | None = None,
        limit: int = DEFAULT_LIMIT,
        on_exit: Literal["kill", "detach"] = "kill",
        **options: Unpack[CommandOptions],
    ) -> AsyncIterator[PipedProcess]:
        """Start a command and connect its streams; leaving the context ends it.

            async with web.open_process(["cat"]) as process:
                process.stdin.write(b"some bytes")
                process.stdin.write_eof()
                print(await process.stdout.read(), await process.wait())

        Args:
            argv: the command's words; none for what a bare ``rind`` runs.
            stdin: PIPE, DEVNULL, bytes, a file or a descriptor.
            stdout: PIPE, DEVNULL, a file or a descriptor.
            stderr: the same, or STDOUT.
            size: the window size (rows, columns), with ``tty=True``.
            limit: the bytes after which an unread PIPE holds the command back.
            on_exit: "detach" leaves the command alone if it runs when the context is left.
            options: script, env, user, workdir, shell, pre_step, privileged, tty: as
                :class:`~rind.plan.Command` has them.

        Raises:
            UsageError: a word of the command cannot be executed.
            StartError: the engine would not create or start it.
            EngineError: the engine failed; LeftRunning on leaving: the command could not be ended.
        """
        command = Command(argv=_words(argv), stdin=stdin != DEVNULL, **options)
        process = await self.start(command, size)
        try:
            async with process:
                process.on_exit = on_exit
                process.connect_streams(stdin, stdout, stderr, limit)
                yield process
        except BaseException as exc:
            if process.left_running is not None:
                exc.add_note(f"its processes may be left running: {process.left_running}")
            raise
        if process.left_running is not None:
            raise process.left_running

    @overload
    async def run(
        self,
        argv: Sequence[str] = (),
        *,
        text: Literal[True],
        input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[str]: ...

    @overload
    async def run(
        self,
        argv: Sequence[str] = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[bytes]: ...

    async def run(  # noqa: PLR0913 # as many as subprocess.run has
        self,
        argv: Sequence[str] = (),
        *,
        text: bool = False,
        input: str | bytes | None = None,  # noqa: A002 # as subprocess calls it
        timeout: float | None = None,  # noqa: ASYNC109 # the command is to end with it
        check: bool = False,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[CommandOptions],
    ) -> CompletedProcess[Any]:
        """Run a command to its end; return its exit status and what it wrote.

            done = await web.run(["./manage.py", "check"], timeout=60, check=True)

        Args:
            argv: the command's words.
            text: whether input and output are str, in UTF-8, and not bytes.
            input: for its stdin, which is empty by default.
            timeout: in seconds, after which it is ended with all that it has started.
            check: whether another exit status than 0 is an error.
            stdout: as :meth:`open_process` has it.
            stderr: as :meth:`open_process` has it.
            options: as :meth:`open_process` has them.

        Raises:
            CommandFailed: with ``check``, the exit status is not 0.
            TimedOut: it did not end in time.
            UsageError, StartError, EngineError: as :meth:`open_process`.
        """
        script = options.get("script")
        words, name = [*([] if script is None else [script]), *argv], self.container.name
        seen = bytearray(), bytearray()
        data = input.encode() if isinstance(input, str) else input
        stdin = DEVNULL if data is None else data
        async with self.open_process(
            argv, stdin=stdin, stdout=stdout, stderr=stderr, **options
        ) as process:

            def captured(errors: str) -> tuple[Any, Any]:
                out, err = (it.decode(errors=errors) if text else bytes(it) for it in seen)
                return out if process.stdout else None, err if process.stderr else None

            try:
                async with asyncio.timeout(timeout) as limit:
                    await process.exchange(None, *seen)
            except TimeoutError:
                if timeout is None or not limit.expired():
                    raise
                raise TimedOut(words, timeout, *captured("replace"), name) from None
            status = await process.wait()
            if check and status != 0:
                raise CommandFailed(words, status, *captured("replace"), name)
            return CompletedProcess(words, status, *captured("strict"), name)

    async def detach(self, command: Command) -> str:
        """Start a command that nobody is attached to; return its exec ID.

            await web.detach(rind.Command(argv=["sleep", "1"], stdin=False, output=False))

        Raises:
            UsageError, StartError, EngineError: as :meth:`start`.
        """
        return await start_detached(self._engine, self.container, await self.plan(command))

    async def refresh(self) -> Container:
        """Ask for the container's present state.

            assert (await web.refresh()).state == "running"

        Raises:
            Refused: it is no more (404).
            EngineError: the engine failed.
        """
        return await self._engine.container(self.container.id)


def _words(argv: Sequence[str]) -> Sequence[str]:
    if isinstance(argv, str):
        raise UsageError(f"a command is a list of words, but got {argv!r}: did you mean script=?")
    return argv


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
