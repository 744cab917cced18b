"""The Docker Engine API, as far as Rind needs it. The only importer of aiodocker.

Every answer becomes one of our own types (:mod:`rind.engine.answers`), and every foreign exception
an :class:`~rind.errors.EngineError`: no ``Any`` and no aiohttp type leaves this module. Every wait
for an answer, and every answer's size, is bounded.
"""

import asyncio
import errno
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from io import BytesIO
from types import TracebackType
from typing import Final, Self

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

from rind.engine import answers
from rind.engine.answers import WrongAnswer
from rind.engine.endpoint import Endpoint
from rind.engine.hijacked import HijackedStream
from rind.errors import Broken, Refused, Unreachable
from rind.model import Container, Defaults, ExecConfig, ExecState

__all__ = ["Engine"]

API_NEWEST: Final = (1, 51)
"""The newest API version that the tests have seen; a newer engine is asked for this one."""
API_CONSOLE_SIZE: Final = (1, 42)
"""From here on the engine takes a window size at start (API changelog, v1.42)."""

PING_TIMEOUT: Final = 10.0
"""Seconds. A local engine answers within a millisecond, one behind a slow line within a second;
what is silent for longer is not an engine, or not in a state to run anything."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for any other answer: a busy 20.10 was seen to need ten."""

_CHANGES: Final = ["create", "start", "unpause", "health_status", "die", "rename"]

_NO_TLS: Final = (
    "DOCKER_TLS_VERIFY is set, but commands cannot be run over TLS yet: "
    "unset it, and forward the engine's socket with ssh -L"
)

_UP: Final = ["running", "paused", "restarting"]
_DOWN: Final = ["created", "exited", "dead"]
_CLOCKS_AGREE: Final = 2.0
"""Seconds by which the engine's clock seems to be another one: its answers have whole seconds."""

_ORDERED: Final = "-eo pid,ppid --sort=start_time,pid"
"""Of ps(1) on the engine's machine: processes with their parents, the oldest first."""


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
                self._docker = aiodocker.Docker(url=self.endpoint.url, api_version="v1.24")
                async with asyncio.timeout(PING_TIMEOUT):
                    await self._ping()
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
        return await self._list(all="1", filters=json.dumps(filters))

    async def container(self, name: str) -> Container:
        """Find a container by its name, its ID, or a unique prefix of its ID.

        Raises:
            Refused: there is none (404), or several share the prefix.
        """
        if not re.fullmatch(answers.NAME, name):
            raise Refused(HTTPStatus.NOT_FOUND, f"No such container: {name}")
        with self._errors():
            found = answers.read_container_id(await self._get(f"containers/{name}/json"))
            # Only the list has the status in words.
            listed = await self._list(all="1", filters=json.dumps({"id": [found]}))
            if not listed:  # removed in between
                raise Refused(HTTPStatus.NOT_FOUND, f"No such container: {name}")
            return listed[0]

    async def defaults(self, container_id: str) -> Defaults:
        """Return a container's own variables and working directory."""
        with self._errors():
            return answers.read_defaults(await self._get(f"containers/{container_id}/json"))

    async def processes(self, container_id: str) -> list[tuple[int, int]]:
        """Return a container's processes as the engine numbers them, each (number, parent).

        The oldest is the first.

        Raises:
            Refused: the container does not run, or the engine's machine has no such ps.
        """
        with self._errors():
            path = f"containers/{container_id}/top"
            return answers.read_processes(await self._get(path, ps_args=_ORDERED))

    async def version(self) -> str:
        """Return the engine's own version, as ``28.5.2``."""
        with self._errors():
            return answers.read_version(await self._get("version"))

    async def events(
        self, container_id: str, names: Sequence[str], before: float, after: float
    ) -> list[str]:
        """Return the events of a container around now, of those that are named.

        Args:
            container_id: the container, which may be gone.
            names: such as ``die``.
            before: how many seconds ago it may have happened.
            after: how many seconds from now on it may still happen.

        Returns:
            The events' names, such as ``die`` (API: ``GET /events``).
        """
        with self._errors():
            now = await self._now()
            filters = {"type": ["container"], "container": [container_id], "event": list(names)}
            period = {"since": f"{now - before:.6f}", "until": f"{now + after:.6f}"}
            return answers.read_event_actions(
                await self._get("events", filters=json.dumps(filters), **period)
            )

    async def _now(self) -> float:
        """Return the time by the engine's clock."""
        async with asyncio.timeout(REQUEST_TIMEOUT):
            response = await self._send("GET", "_ping", versioned=False)
            await _body(response)
        ours, theirs = time.time(), answers.read_date(response.headers.get("Date", ""))
        return ours if theirs is None or abs(ours - theirs) <= _CLOCKS_AGREE else theirs

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[None]]:
        """Subscribe to container events; yield once per event.

        What happens from entering on is told (API: ``GET /events``).
        """
        filters = json.dumps({"type": ["container"], "event": _CHANGES})
        with self._errors():
            async with asyncio.timeout(REQUEST_TIMEOUT):
                response = await self._send("GET", "events", {"filters": filters})
            try:
                await self._accept(response)
                yield self._parts(response)
            finally:
                response.close()  # it has no end that could be waited for

    async def _parts(self, response: aiohttp.ClientResponse) -> AsyncIterator[None]:
        with self._errors():
            # What an event says, the next list says better; and it may be of any length.
            async for _ in response.content.iter_any():
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
                created = await self._post(path, body)
            except TimeoutError:
                raise
            except (aiohttp.ClientConnectionError, OSError):
                # A connection that was kept may have failed meanwhile. aiohttp repeats only what
                # has no effect, and an exec instance that is never started has none either.
                created = await self._post(path, body)
            return answers.read_exec_id(created)

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
            # aiodocker's Exec.start can neither send ConsoleSize nor half-close.
            async with asyncio.timeout(REQUEST_TIMEOUT):
                response = await self._send(
                    "POST",
                    f"exec/{exec_id}/start",
                    body=body,
                    headers={"Connection": "Upgrade", "Upgrade": "tcp"},
                )
                await self._accept(response)
            if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
                response.close()
                raise Broken(
                    "the engine did not upgrade the connection: it answered "
                    f"{response.status} {response.reason}; is a proxy in between?"
                )
            return HijackedStream.adopt(response)

    async def start_exec_detached(self, exec_id: str) -> None:
        """Start a created command, detached.

        Raises:
            Refused: it could not be started; the text is the engine's own.
        """
        with self._errors():
            await self._post(f"exec/{exec_id}/start", {"Detach": True})

    async def resize_exec(self, exec_id: str, size: tuple[int, int]) -> None:
        """Set the window size (rows, columns) of a started exec's TTY."""
        rows, columns = size
        with self._errors():
            await self._post(f"exec/{exec_id}/resize?h={rows}&w={columns}")

    async def inspect_exec(self, exec_id: str) -> ExecState:
        """Ask for an exec instance's state.

        Raises:
            Refused: the engine no longer knows it (404), minutes after its end.
        """
        with self._errors():
            return answers.read_exec_state(await self._get(f"exec/{exec_id}/json"))

    @property
    def _client(self) -> aiodocker.Docker:
        if self._docker is None:
            raise RuntimeError("the engine is not open: it was closed, or never entered")
        return self._docker

    async def _ping(self) -> None:
        """Settle the API version.

        Not by aiodocker's "auto", whose GET /version takes ten times as long as a ping.
        """
        if self._client.docker_host.startswith("https:"):
            raise Unreachable(_NO_TLS)
        response = await self._send("GET", "_ping", versioned=False)
        try:
            await self._accept(response)
        except Refused as exc:
            raise WrongAnswer(f"HTTP status {exc.http_status} {exc.text}") from exc
        header = response.headers.get("Api-Version", "")
        await _body(response)
        self.api_version = min(answers.read_api_version(header), API_NEWEST)

    async def _list(self, **params: str) -> list[Container]:
        with self._errors():
            return answers.read_containers(await self._get("containers/json", **params))

    async def _get(self, path: str, **params: str) -> bytes:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            response = await self._send("GET", path, params)
            await self._accept(response)
            return await _body(response)

    async def _post(self, path: str, body: object = None) -> bytes:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            response = await self._send("POST", path, body=body)
            await self._accept(response)
            return await _body(response)

    async def _send(  # noqa: PLR0913 # a request has as many parts
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        versioned: bool = True,
    ) -> aiohttp.ClientResponse:
        """Send a request; return the answer, of which only the head has been read.

        aiodocker's own requests read an error's body to its end, whatever its size.
        """
        docker = self._client
        version = "/v{}.{}".format(*self.api_version) if versioned else ""
        return await docker.session.request(
            method,
            f"{docker.docker_host}{version}/{path}",
            params=params,
            # A plain bytes object of more than a megabyte is a warning to aiohttp.
            data=None if body is None else BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json", **(headers or {})},
            allow_redirects=False,
            # An engine compresses nothing, and a kilobyte could become a megabyte.
            auto_decompress=False,
        )

    async def _accept(self, response: aiohttp.ClientResponse) -> None:
        """Make sure that an answer is no error.

        Raises:
            Refused: it is one.
        """
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(response.status, answers.read_error(await _body(response)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate the errors of aiodocker, aiohttp and the socket into our own."""
        url = self.endpoint.url
        try:
            yield
        except TimeoutError as exc:
            raise Unreachable(f"{url} does not answer: is it a Docker Engine?") from exc
        except aiohttp.ServerDisconnectedError as exc:
            raise Unreachable(self._unreachable(None)) from exc
        except OSError as exc:
            raise Unreachable(self._unreachable(exc)) from exc
        except (aiohttp.ClientError, WrongAnswer) as exc:
            raise Unreachable(
                f"{url} (from {self.endpoint.source}) does not answer as a Docker Engine does: "
                f"{_short(exc)}"
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


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end.

    Raises:
        WrongAnswer: it is larger than any engine's, or encoded.
    """
    data = bytearray()
    encoding = response.headers.get("Content-Encoding", "identity")
    try:
        async for part in response.content.iter_any():
            data += part
            if encoding != "identity" or len(data) > answers.MOST_BYTES:
                break
        else:
            return bytes(data)
    finally:
        response.release()  # closes a connection that has more to say
    if encoding != "identity":
        raise WrongAnswer(f"its answer is encoded ({encoding}), which was not asked for")
    raise WrongAnswer(f"its answer has more than {answers.MOST_BYTES} bytes")


def _short(exc: Exception) -> str:
    return (str(exc) or type(exc).__name__)[: answers.LONGEST_TEXT]
