"""The Docker Engine API, as far as Rind needs it. The only importer of aiodocker.

Everything that comes in is turned into our own types here, and every foreign exception into
:class:`~rind.errors.EngineError`: no ``Any`` and no aiohttp type leaves this module.
"""

import asyncio
import errno
import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

try:
    import aiodocker
except RuntimeError:
    # It asks for Path.home() as it is imported, to look for sockets where it is given no address;
    # a user with neither HOME nor an entry in the passwd file has none.
    os.environ["HOME"] = "/"
    try:
        import aiodocker
    finally:
        del os.environ["HOME"]

from rind.endpoint import Endpoint
from rind.errors import Broken, Refused, Unreachable
from rind.plan import ExecConfig
from rind.selection import COMPOSE, Container
from rind.stream import HijackedStream
from rind.workdir import Mount

__all__ = ["Engine", "ExecState"]

API_NEWEST: Final = (1, 51)
"""The newest API version that the tests have seen; a newer engine is asked for this one."""
API_CONSOLE_SIZE: Final = (1, 42)
"""From here on the engine takes a window size at start (API changelog, v1.42)."""

PING_TIMEOUT: Final = 10.0
"""Seconds. A local engine answers within a millisecond, one behind a slow line within a second;
what is silent for longer is not an engine, or not in a state to run anything."""

_CHANGES: Final = ["create", "start", "unpause", "health_status", "die", "rename"]

_UP: Final = ["running", "paused", "restarting"]
_DOWN: Final = ["created", "exited", "dead"]
_NAME: Final = "[a-zA-Z0-9][a-zA-Z0-9_.-]*"
"""moby's names.RestrictedNamePattern; IDs are hexadecimal."""

_NO_ENGINE: Final = 900
"""The status that aiodocker gives an error for which there was no answer at all."""


@dataclass(frozen=True, slots=True)
class ExecState:
    """What the engine knows of an exec instance.

    Attributes:
        exit_code: None until it is settled.
        pid: as the engine's host numbers it; 0 until the command has started.
    """

    running: bool
    exit_code: int | None
    pid: int


class Engine:
    """A client of one engine; many requests may be under way at once.

    Use it as an async context manager: entering finds the API version, leaving closes every
    connection but the hijacked ones, which belong to their streams.

    Attributes:
        api_version: the one that is spoken.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.api_version: tuple[int, int] = API_NEWEST
        self._docker: aiodocker.Docker | None = None

    @property
    def takes_console_size(self) -> bool:
        """Whether a window size can be given at start; otherwise, resize at once."""
        return self.api_version >= API_CONSOLE_SIZE

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: nothing answers, or what answers is not a Docker Engine.
        """
        try:
            with self._errors():
                # The version is settled here and not by aiodocker's "auto", whose
                # GET /version takes ten times as long as a ping.
                self._docker = aiodocker.Docker(url=self.endpoint.url, api_version="v1.24")
                async with asyncio.timeout(PING_TIMEOUT):
                    header = await self._ping()
                self.api_version = min(self._parse_version(header), API_NEWEST)
                self._docker.api_version = "v{}.{}".format(*self.api_version)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        docker, self._docker = self._docker, None
        if docker is not None:
            await docker.close()

    async def containers(self, labels: Sequence[str], *, up: bool) -> list[Container]:
        """List the containers with all of ``labels``: those that are up (paused too), or the rest.

        Args:
            labels: each ``KEY`` or ``KEY=value``.
            up: which of the two.
        """
        filters = {"label": list(labels), "status": _UP if up else _DOWN}
        return await self._list(all=True, filters=json.dumps(filters))

    async def container(self, name: str) -> Container:
        """Find a container by its name, its ID, or a unique prefix of its ID.

        Raises:
            Refused: there is none (404), or several share the prefix.
        """
        if not re.fullmatch(_NAME, name):
            raise Refused(404, f"No such container: {name}")
        with self._errors():
            found = await self._json("GET", f"containers/{name}/json")
            # Only the list has the status in words.
            listed = await self._list(all=True, filters=json.dumps({"id": [found["Id"]]}))
            if not listed:  # removed in between
                raise Refused(HTTPStatus.NOT_FOUND, f"No such container: {name}")
            return listed[0]

    async def variables(self, container_id: str) -> set[str]:
        """Return the names of the environment variables that a container sets itself."""
        with self._errors():
            found = await self._json("GET", f"containers/{container_id}/json")
            return {str(it).partition("=")[0] for it in found["Config"]["Env"] or ()}

    async def version(self) -> str:
        """Return the engine's own version, as ``28.5.2``."""
        with self._errors():
            return str((await self._json("GET", "version"))["Version"])

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Subscribe to what may change which container fits; gives something at every change.

        What happens from entering on is told (API: ``GET /events``).
        """
        filters = {"type": ["container"], "event": _CHANGES}
        params = {"filters": json.dumps(filters)}
        with self._errors():
            # Private: aiodocker's own subscription is a queue that is filled by a hidden task.
            # The body is without an end, so it must not be timed.
            async with self._client._query("events", params=params, timeout=0) as response:  # noqa: SLF001
                try:
                    yield self._lines(response)
                finally:
                    response.close()  # it has no end that could be waited for

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[None]:
        with self._errors():
            async for _ in response.content:
                yield
        raise Broken("the engine ended the stream of its events")

    async def create_exec(self, container_id: str, config: ExecConfig) -> str:
        """Prepare a command in a running container; return the exec ID.

        Raises:
            Refused: the container is not running or paused (409), or gone (404), and whatever
                the engine checks this early.
        """
        body = {
            "AttachStdin": config.stdin,
            "AttachStdout": config.output,
            "AttachStderr": config.output,
            "Cmd": list(config.argv),
            "DetachKeys": config.detach_keys,
            "Env": list(config.env),
            "Privileged": config.privileged,
            "Tty": config.tty,
            "User": config.user,
            "WorkingDir": config.workdir,
        }
        path = f"containers/{container_id}/exec"
        with self._errors():
            try:
                created = await self._json("POST", path, body=body)
            except aiodocker.DockerError as exc:
                if exc.status != _NO_ENGINE:
                    raise
                # A connection that was kept may have failed meanwhile. aiohttp repeats only what
                # has no effect, and an exec instance that is never started has none either.
                created = await self._json("POST", path, body=body)
            return str(created["Id"])

    async def start_exec(
        self, exec_id: str, *, tty: bool, size: tuple[int, int] | None = None
    ) -> HijackedStream:
        """Start a created command; the caller owns the stream.

        Args:
            exec_id: from :meth:`create_exec`.
            tty: as the exec instance was created.
            size: the window size (rows, columns), where the engine takes one at start.

        Raises:
            Refused: the engine would not start it.
        """
        body: dict[str, object] = {"Detach": False, "Tty": tty}
        if tty and size and self.takes_console_size:
            body["ConsoleSize"] = list(size)
        with self._errors():
            # Private: aiodocker's Exec.start can neither send ConsoleSize nor half-close.
            response = await self._client._do_query(  # noqa: SLF001
                f"exec/{exec_id}/start",
                "POST",
                data=json.dumps(body),
                headers={"Connection": "Upgrade", "Upgrade": "tcp"},
                read_until_eof=False,
            )
            if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
                response.close()
                raise Broken(
                    "the engine did not upgrade the connection: it answered "
                    f"{response.status} {response.reason}; is a proxy in between?"
                )
            return HijackedStream.adopt(response)

    async def start_exec_detached(self, exec_id: str) -> None:
        """Start a created command that nobody is attached to.

        Raises:
            Refused: it could not be started; the text is the engine's own.
        """
        with self._errors():
            await self._json("POST", f"exec/{exec_id}/start", body={"Detach": True})

    async def resize_exec(self, exec_id: str, size: tuple[int, int]) -> None:
        """Set the window size (rows, columns) of a started exec's TTY."""
        rows, columns = (str(number) for number in size)
        with self._errors():
            await self._json("POST", f"exec/{exec_id}/resize", {"h": rows, "w": columns})

    async def inspect_exec(self, exec_id: str) -> ExecState:
        """Ask for an exec instance's state.

        Raises:
            Refused: the engine no longer knows it (404), minutes after its end.
        """
        with self._errors():
            state = await self._json("GET", f"exec/{exec_id}/json")
            running, code = bool(state["Running"]), state["ExitCode"]
            # Podman says 0 while it runs.
            settled = None if running or code is None else int(code)
            return ExecState(running, settled, int(state["Pid"]))

    @property
    def _client(self) -> aiodocker.Docker:
        if self._docker is None:
            raise RuntimeError("the engine is not open: it was closed, or never entered")
        return self._docker

    async def _ping(self) -> str:
        try:
            async with self._client._query("_ping", versioned_api=False) as response:  # noqa: SLF001
                await response.read()
                return response.headers.get("Api-Version", "")
        except aiodocker.DockerError as exc:
            if exc.status == _NO_ENGINE:
                raise
            raise ValueError(f"HTTP status {exc.status} {exc.message}") from exc

    @staticmethod
    def _parse_version(header: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", header)
        if match is None:
            raise ValueError("no Api-Version in its answer")
        return int(match[1]), int(match[2])

    async def _list(self, **params: str | bool) -> list[Container]:
        with self._errors():
            return [
                Container(
                    id=item["Id"],
                    name=item["Names"][0].removeprefix("/"),
                    state=item["State"],
                    status=item.get("Status", ""),
                    labels=item.get("Labels") or {},
                    image=item.get("Image", ""),
                    created=int(item.get("Created", 0)),
                    mounts=[
                        Mount(mount["Source"], mount["Destination"])
                        for mount in item.get("Mounts") or ()
                        if mount.get("Type") == "bind"
                    ],
                    folder=(item.get("Labels") or {}).get(f"{COMPOSE}.project.working_dir", ""),
                )
                for item in await self._json("GET", "containers/json", params)
            ]

    async def _json(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | bool] | None = None,
        *,
        body: object = None,
    ) -> Any:
        # Private: aiodocker has public methods for some of these requests only, and those return
        # objects that ask for more than we need.
        return await self._client._query_json(path, method, params=params, data=body)  # noqa: SLF001

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what aiodocker and aiohttp raise into our own errors."""
        url = self.endpoint.url
        try:
            yield
        except aiodocker.DockerError as exc:
            if exc.status != _NO_ENGINE:
                raise Refused(exc.status, exc.message.strip()) from exc
            # aiodocker raises it while handling aiohttp's, whose os_error says why.
            reason = getattr(exc.__context__, "os_error", None)
            raise Unreachable(self._unreachable(reason)) from exc
        except TimeoutError as exc:
            raise Unreachable(f"{url} does not answer: is it a Docker Engine?") from exc
        except OSError as exc:
            raise Unreachable(self._unreachable(exc)) from exc
        except (aiohttp.ClientError, ValueError, LookupError, TypeError) as exc:
            raise Unreachable(
                f"{url} (from {self.endpoint.source}) does not answer as a Docker Engine does: "
                f"{str(exc) or type(exc).__name__}"
            ) from exc

    def _unreachable(self, reason: OSError | None) -> str:
        url = f"{self.endpoint.url} (from {self.endpoint.source})"
        match reason.errno if reason else None:
            case errno.EACCES | errno.EPERM:
                return f"permission denied on {url}: are you in the socket's group (often docker)?"
            case errno.ENOENT:
                return f"there is no socket at {url}: is the engine running there?"
            case errno.ECONNREFUSED:
                return f"nothing listens at {url}: is the engine running?"
            case None:
                return f"{url} closed the connection without an answer: is it a Docker Engine?"
            case _:
                return f"cannot connect to {url}: {reason}"
