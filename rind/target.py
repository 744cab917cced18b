"""A container, with the commands that run in it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal, TypeVar, Unpack

from rind.base.deadline import Deadline
from rind.decide.path_map import PathMap
from rind.decide.plan import BARE, Command, words
from rind.errors import CommandFailed, Refused, SelectionError, Unreachable
from rind.execution.begin import start_detached
from rind.execution.capture import Capture, captured_streams
from rind.execution.exec import KILL_AFTER, Leaving
from rind.execution.pump import start_captured
from rind.execution.start import open_exec
from rind.execution.stdio import DEFAULT_LIMIT, DEVNULL, PIPE
from rind.execution.streams import Streams, streams_of_run
from rind.find.caller import localized
from rind.find.resolve import profile_of, settle
from rind.process import Process
from rind.reaper.leash import why_no_leash
from rind.signatures import as_open_process, as_run

__all__ = ["Target"]

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from rind.decide.plan import Words
    from rind.decide.profile import Profile
    from rind.endpoint.endpoint import Endpoint
    from rind.engine.engine import Engine
    from rind.execution.begin import Begun
    from rind.execution.capture import CompletedProcess, OnOutput
    from rind.execution.exec import Exec
    from rind.execution.pump import Running
    from rind.execution.session import Session
    from rind.execution.stdio import LocalFile
    from rind.keywords import CommandOptions
    from rind.model import Caller, Container, ExecConfig

R = TypeVar("R", bound="Process[Any, Any, Any] | Running")


class Target:
    """A container to run commands in, with the profile of its labels.

    Attributes:
        container: as it was found. A target that follows replaces it by its successor.
        reason: why it was chosen, such as "the only one with the label app.rind".
    """

    def __init__(  # noqa: PLR0913 # only a client calls it
        self,
        session: Session,
        container: Container,
        label: str,
        caller: Caller,
        *,
        reason: str = "chosen",
        find_again: Callable[[], Awaitable[Target]] | None = None,
    ) -> None:
        self.container = container
        self.reason = reason
        self._session = session
        self._label = label
        self._caller = caller
        self._find_again = find_again

    def __repr__(self) -> str:
        return f"<Target {self.container.name} ({self.container.state}): {self.reason}>"

    @property
    def endpoint(self) -> Endpoint:
        """Where the container's engine is; for a swarm's task, the engine of its node.

        print(web.endpoint.url)
        """
        return self._engine.endpoint

    @property
    def profile(self) -> Profile:
        """The profile that the container's labels give to commands.

            print(web.profile.pre_step)

        Raises:
            SelectionError: a label is unknown, or its value is invalid.
        """
        return profile_of(self.container, self._label)

    async def user(self) -> str:
        """Return the user that commands run as by default.

            print(await web.user())

        Raises:
            SelectionError: a label is unknown, or its value is invalid.
            EngineError: the engine failed.
        """
        await self._follow_if_possible()
        own = self.profile.user or (await self._engine.defaults(self.container.id)).user
        return own or "root"

    async def why_no_leash(self) -> str:
        """Return why a command would outlive this process if it is killed; empty if it would not.

            assert await web.why_no_leash() == ""

        Starts a *leash* to find out: a shell script in the container that ends our commands there
        once this process is gone.

        Raises:
            SelectionError: a label is unknown, or its value is invalid.
            EngineError: the engine failed.
        """
        user = (await self.plan(Command(script=":", pre_step=False))).user
        return await why_no_leash(self._engine, self.container.id, user) or ""

    def map_path(self, path: str | os.PathLike[str]) -> str:
        """Translate an absolute path of this machine to the container's.

            print(web.map_path("/home/me/shop/x.py"))

        The bind mount with the longest source that contains the path decides. A path in no bind
        mount is returned unchanged.

        Raises:
            TypeError: the argument is not a path.
        """
        return self._paths.to_container(os.fspath(path))

    def unmap_path(self, path: str | os.PathLike[str]) -> str:
        """Translate an absolute path of the container to this machine's.

            print(web.unmap_path("/app/x.py"))

        A path in no bind mount is returned unchanged.

        Raises:
            TypeError: the argument is not a path.
        """
        return self._paths.to_host(os.fspath(path))

    @property
    def _paths(self) -> PathMap:
        return PathMap(localized([self.container], self._caller.cwd)[0].mounts)

    async def plan(self, command: Command) -> ExecConfig:
        """Return the command as it would be executed: argv, environment, user, directory.

            print((await web.plan(rind.Command(argv=["ls"]))).argv)

        Raises:
            SelectionError: a label of the container is unknown, or its value is invalid.
            UsageError: a word of the command cannot be executed.
            EngineError: the engine failed.
        """
        await self._follow()
        return await settle(self._engine, command, self.container, self.profile, self._caller)

    async def _follow(self) -> None:
        """Find the container anew, if it is followed and does not run any more."""
        if self._find_again is None:
            return
        # The node of a swarm's task may be down.
        with suppress(Refused, Unreachable):
            if (await self._present()).state == "running":
                return
        found = await self._find_again()
        self.container, self.reason = found.container, found.reason
        self._session, self._caller = found._session, found._caller  # noqa: SLF001 # of this class

    async def _follow_if_possible(self) -> None:
        """Find the successor, if there is one: a stopped container can still be looked into."""
        with suppress(SelectionError):
            await self._follow()

    @property
    def _engine(self) -> Engine:
        return self._session.engine

    async def start(self, command: Command, size: tuple[int, int] | None = None) -> Exec:
        """Start a command; return its exec instance, to read, write, or attach to a terminal.

            async with await web.start(rind.Command(argv=["echo", "x"])) as process:
                while (part := await process.read()) is not None:
                    stream, data = part
                status = await process.wait()

        Args:
            command: what to run.
            size: the window size (rows, columns) that it begins with, with a TTY.

        Returns:
            The exec instance, to be used as an async context manager.

        Raises:
            UsageError: a word of the command cannot be executed.
            StartError: the engine would not create or start it.
            EngineError: the engine failed.
        """
        return await self.execute(await self.plan(command), size)

    async def execute(
        self,
        config: ExecConfig,
        size: tuple[int, int] | None = None,
        begun: Begun | None = None,
    ) -> Exec:
        """Start a command that :meth:`plan` returned, or continue a start that was requested.

            execution = await web.execute(await web.plan(rind.Command(argv=["true"])))

        Raises:
            StartError, EngineError: as :meth:`start`.
        """
        return await open_exec(self._session, self.container, config, size, begun=begun)

    @as_open_process
    def open_process(  # noqa: PLR0913 # as many as asyncio.subprocess has
        self,
        argv: Words = BARE,
        *,
        stdin: int | bytes | LocalFile = PIPE,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        size: tuple[int, int] | None = None,
        limit: int = DEFAULT_LIMIT,
        on_exit: Literal["kill", "detach"] = "kill",
        kill_after: float = KILL_AFTER,
        encoding: str | None = None,
        errors: str = "strict",
        **options: Unpack[CommandOptions],
    ) -> AbstractAsyncContextManager[Process[Any, Any, Any]]:
        """Start a command and connect its streams; leaving the context ends it.

            async with web.open_process(["cat"]) as process:
                process.stdin.write(b"some bytes")
                process.stdin.write_eof()
                print(await process.stdout.read(), await process.wait())

        Args:
            argv: the command's words; leave them out for the command of a bare ``rind``.
            stdin: PIPE, DEVNULL, bytes, a file or a descriptor.
            stdout: PIPE, DEVNULL, a file or a descriptor.
            stderr: PIPE, DEVNULL, STDOUT, a file or a descriptor.
            size: the window size (rows, columns), with ``tty=True``.
            limit: the bytes after which an unread PIPE blocks the command.
            on_exit: "kill" ends the command if it runs when the context is left, "detach" leaves
                it alone.
            kill_after: seconds between SIGTERM and SIGKILL for a command that is ended.
            encoding: for text streams, with newlines translated; None for bytes.
            errors: the error handler of the encoding: "strict", "replace"..., as for :mod:`codecs`.
            options: fields of :class:`~rind.decide.plan.Command`, namely script, env, user,
                workdir, shell, pre_step, privileged, map_paths, ssh_agent, tty.

        Raises:
            UsageError: a word of the command cannot be executed.
            ValueError: a stream, ``on_exit``, a number or the encoding is invalid.
            TypeError: a keyword is unknown, or its value is of a wrong type.
            StartError: the engine would not create or start it.
            EngineError: the engine failed; LeftRunning on leaving: the command could not be ended.
        """
        streams = Streams(stdin, stdout, stderr, limit, encoding, errors)
        streams.check()
        argv = words(argv, options.get("script"))
        command = Command(argv=argv, stdin=stdin != DEVNULL, **options)
        leaving = Leaving(on_exit, kill_after)
        return self._opened(
            command, streams, lambda *where: Process.start(*where, size=size, leaving=leaving)
        )

    @asynccontextmanager
    async def _opened(
        self,
        command: Command,
        streams: Streams,
        start: Callable[[Session, Container, ExecConfig, Streams], Awaitable[R]],
    ) -> AsyncIterator[R]:
        """Start a command in the way of ``start``; leaving the context ends it."""
        with ExitStack() as files:
            streams = streams.duplicated(files)
            config = await self.plan(command)  # first: it may find another container
            running = await start(self._session, self.container, config, streams)
            try:
                async with running:
                    yield running
            except BaseException as exc:
                if running.left_running is not None:
                    exc.add_note(f"its processes may be left running: {running.left_running}")
                raise
            if running.left_running is not None:
                raise running.left_running

    @as_run
    async def run(  # noqa: PLR0913 # as many as subprocess.run has
        self,
        argv: Words = BARE,
        *,
        text: bool = False,
        encoding: str | None = None,
        errors: str = "strict",
        input: str | bytes | None = None,  # noqa: A002 # as subprocess calls it
        timeout: float | None = None,  # noqa: ASYNC109 # the command is to end with it
        kill_after: float = KILL_AFTER,
        check: bool = False,
        capture_limit: int | None = None,
        on_output: OnOutput | None = None,
        stdin: int | bytes | LocalFile | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[CommandOptions],
    ) -> CompletedProcess[Any]:
        """Run a command to its end; return its exit status and its output.

            done = await web.run(["./manage.py", "check"], timeout=60, check=True)

        Args:
            argv: the command's words.
            text: whether input and output are str, in UTF-8, and not bytes.
            encoding: the encoding of text; implies ``text``.
            errors: the error handler of the encoding: "strict", "replace"..., as for :mod:`codecs`.
            input: for its stdin, which is empty by default.
            timeout: in seconds, from the call on; then the command is ended with its children.
            kill_after: seconds between SIGTERM and SIGKILL for a command that is ended.
            check: whether another exit status than 0 is an error.
            capture_limit: the most bytes of each stream; None for no limit.
            on_output: is called with "stdout" or "stderr" and every part of the output as it comes.
            stdin: DEVNULL, bytes, a file or a descriptor, in place of ``input``.
            stdout: PIPE, DEVNULL, a file or a descriptor.
            stderr: PIPE, DEVNULL, STDOUT, a file or a descriptor.
            options: fields of :class:`~rind.decide.plan.Command`, namely script, env, user,
                workdir, shell, pre_step, privileged, map_paths, ssh_agent, tty.

        Raises:
            CommandFailed: with ``check``, the exit status is not 0.
            TimedOut: the command did not end in time.
            TooMuchOutput: it wrote more than ``capture_limit``, and was ended.
            ContainerGone: it was killed with its container.
            ValueError: ``stdin`` is PIPE, or is given with ``input``; the encoding is unknown; a
                number is negative.
            TypeError: a keyword is unknown, or its value is of a wrong type.
            UnicodeDecodeError: the output cannot be decoded.
            UsageError, StartError, EngineError: as :meth:`open_process`.
        """
        streams = streams_of_run(
            text=text,
            encoding=encoding,
            errors=errors,
            input=input,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        argv = words(argv, options.get("script"))
        command = Command(argv=argv, stdin=streams.stdin != DEVNULL, **options)
        capture = Capture(
            [*([] if command.script is None else [command.script]), *argv],
            self.container.name,
            captured_streams(stdout, stderr, tty=command.tty),
            encoding=streams.encoding,
            errors=errors,
            limit=capture_limit,
            on_output=on_output,
        )
        start = partial(start_captured, capture=capture, leaving=Leaving(kill_after=kill_after))

        async with AsyncExitStack() as stack:
            async with Deadline(timeout).limit(partial(capture.timed_out, timeout)):
                opened = self._opened(command, streams, start)
                running = await stack.enter_async_context(opened)
                status = await capture.collect(running)
            capture.finish()
            return capture.completed(status, check=check)

    async def detach(self, command: Command) -> str:
        """Start a command, detached; return its exec ID.

            await web.detach(rind.Command(argv=["sleep", "1"], stdin=False, output=False))

        Raises:
            UsageError, StartError, EngineError: as :meth:`start`.
        """
        config = await self.plan(command)  # first: it may find another container
        return await start_detached(self._engine, self.container, config)

    async def put(
        self,
        local: str | os.PathLike[str],
        path: str | os.PathLike[str],
        *,
        owner: tuple[int, int] | None = None,
        exclude: Iterable[str] = (),
        on_progress: Callable[[int], object] | None = None,
    ) -> None:
        """Copy a local file, or a directory with its contents, into the container.

            await web.put("/etc/resolv.conf", "/tmp/resolv.conf")

        As with ``cp -a``, links stay links, and a file or directory goes into a directory that
        exists at ``path``. A cancelled copy leaves the part that was copied.

        The patterns of ``exclude`` are those of ``.dockerignore``, without ``!``. A pattern is a
        path relative to the copied directory. In a name, ``*`` matches any characters, ``?`` one,
        and ``[a-z]`` one of these; the name ``**`` matches any number of directories. A directory
        that matches is left out with its contents.

        Args:
            local: the file or directory.
            path: in the container, absolute.
            owner: the user and group of every file, as numbers; None to keep those of this machine.
            exclude: patterns of files and directories to leave out.
            on_progress: is called with the number of bytes that were sent so far.

        Raises:
            OSError: a local file cannot be read.
            UsageError: the path is not absolute, or a pattern is invalid.
            Refused: the directory does not exist (404), or is read-only (403).
            EngineError: the engine failed.
        """
        from rind.files.transfer import put

        await self._follow_if_possible()
        where = self._engine, self.container, local, path
        await put(*where, owner=owner, exclude=exclude, on_progress=on_progress)

    async def get(
        self,
        path: str | os.PathLike[str],
        local: str | os.PathLike[str],
        *,
        on_progress: Callable[[int], object] | None = None,
    ) -> Path:
        """Copy a file of the container, or a directory with its contents, to this machine.

            hosts = await web.get("/etc/hosts", "/tmp")

        A file or directory goes into a directory that exists at ``local``. A file replaces another
        file; a directory replaces nothing. The copy appears whole or not at all, belongs to you,
        and links stay links.

        Args:
            path: in the container, absolute.
            local: the path of the copy, or of the directory that it goes into.
            on_progress: is called with the number of bytes that were received so far.

        Returns:
            The path of the copy.

        Raises:
            FileExistsError: the copy cannot replace what exists at its path.
            OSError: a local file cannot be written.
            UsageError: the path is not absolute.
            Refused: the path does not exist in the container (404).
            EngineError: the engine failed, or sent something else than files.
        """
        from rind.files.transfer import get

        await self._follow_if_possible()
        return await get(self._engine, self.container, path, local, on_progress=on_progress)

    async def remove(
        self,
        path: str | os.PathLike[str],
        *,
        recursive: bool = False,
        missing_ok: bool = False,
    ) -> None:
        """Remove a file, a link or a directory of the container.

            await web.remove("/tmp/resolv.conf", missing_ok=True)

        Runs the container's ``rm``, as root: whatever :meth:`put` can copy, this can remove. A link
        is removed, not its target.

        Args:
            path: in the container, absolute.
            recursive: whether to remove a directory, with its contents.
            missing_ok: whether to do nothing if the path does not exist.

        Raises:
            UsageError: the path is not absolute, or is the root; nothing was removed.
            CommandFailed: ``rm`` failed: the path does not exist, is a directory, or is read-only.
                Its message is in ``stderr``.
            StartError: the image has no ``rm``.
            EngineError: the engine failed.
        """
        from rind.files.transfer import checked

        checked(path, "remove")
        argv = ["rm", *["-r"] * recursive, *["-f"] * missing_ok, "--", str(path)]
        # Neither a label nor the directory that is removed is to decide how rm runs.
        how: CommandOptions = {"user": "0", "workdir": "/", "pre_step": False}
        how |= {"map_paths": False, "ssh_agent": False}
        try:
            await self.run(argv, text=True, errors="replace", check=True, **how)
        except CommandFailed as exc:
            exc.add_note(str(exc.stderr).strip())
            raise

    async def refresh(self) -> Container:
        """Return the container in its present state; its successor, if it is followed.

            assert (await web.refresh()).state == "running"

        Raises:
            Refused: the container was removed, and has no successor (404).
            EngineError: the engine failed.
        """
        await self._follow_if_possible()
        return await self._present()

    async def _present(self) -> Container:
        return await self._engine.container(self.container.id)
