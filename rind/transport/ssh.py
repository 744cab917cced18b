"""ssh: a socket on another machine, forwarded to one of this machine by the user's own ssh.

The user's configuration, keys, agent and known hosts hold, and ssh asks for passwords as it always
does. ssh goes to the background (ssh(1), -f) and leaves a socket here; later commands connect to
that socket and run no ssh. It ends by itself after :data:`IDLE` seconds without a connection, also
if we were killed. docker runs one ssh for each connection (``docker system dial-stdio``), and each
logs in anew.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import time
from contextlib import suppress

from rind.endpoint.address import can_be_forwarded, read_ssh
from rind.endpoint.discovery import listens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final

    from rind.endpoint.address import SshAddress
    from rind.transport.wire import Wire, WireKind

__all__ = ["IDLE", "SshDialer", "SshError"]

IDLE: Final = 10
"""Seconds until a connection that nobody uses ends."""

CONNECT_TIMEOUT: Final = 30
"""Seconds for the other machine to answer; what the user is asked takes time of its own."""

_MOST_SAID: Final = 4096
"""Bytes read of what ssh has written to stderr."""

_FALLBACK: Final = "/tmp/rind-{}"  # noqa: S108 # it is used only if nobody else can
"""The folder of a user without XDG_RUNTIME_DIR."""

_BEGINNING: Final = 60
"""Seconds after which no ssh is about to listen any more."""

_LONGEST_PATH: Final = 60
"""Bytes: ssh makes a longer one of it, and a socket's may have 107."""

_OPTIONS: Final = {
    "ControlMaster": "yes",
    "ControlPersist": str(IDLE),
    "ConnectTimeout": str(CONNECT_TIMEOUT),
    # A host that has vanished is noticed within a minute.
    "ServerAliveInterval": "20",
    # What the user's own configuration forwards may be forwarded already.
    "ExitOnForwardFailure": "no",
    "RemoteCommand": "none",
}

_GONE: Final = (ConnectionRefusedError, FileNotFoundError)
"""The errors of a socket that nobody listens at."""


class SshError(ConnectionError):
    """ssh has not reached the other machine; it says why."""


class SshDialer:
    """Connects by ssh.

    Args:
        url: an accepted ``ssh://`` URL.
        kind: of the wires.
        may_ask: whether ssh may ask the user for something.
    """

    def __init__(self, url: str, kind: WireKind, *, may_ask: bool) -> None:
        self.name = "docker"
        self._url = url
        self._kind = kind
        self._may_ask = may_ask
        self._address = read_ssh(url)
        self._lock = kind.lock()
        self._socket = ""

    async def ready(self) -> None:
        """Connect to the other machine, unless that was done by somebody.

        Raises:
            SshError: it cannot be reached.
            OSError: there is no place for the forwarded socket.
        """
        async with self._lock:
            if not self._socket:
                path = _path(self._url)
                if not listens(path):
                    forwarding = _Forwarding(self._address, path, may_ask=self._may_ask)
                    path = await forwarding.begin(self._kind)
                self._socket = path

    async def dial(self, deadline: float) -> Wire:
        """Do as the contract says."""
        await self.ready()
        try:
            wire = await self._kind.open((socket.AF_UNIX, self._socket), deadline)
        except _GONE:
            # It was idle for too long, or the line is cut: once more.
            self._socket = ""
            await self.ready()
            wire = await self._kind.open((socket.AF_UNIX, self._socket), deadline)
        wire.tunnel = _Line(self._socket)
        return wire

    def using(self, kind: WireKind) -> SshDialer:
        """Do as the contract says."""
        return SshDialer(self._url, kind, may_ask=self._may_ask)


class _Line:
    """The ssh that a connection leads through, for telling whether its end is that of the line.

    A connection to a socket that is forwarded ends cleanly when ssh does.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = _identity(path)

    @property
    def failure(self) -> OSError | None:
        """Why the connection has ended if the engine has not ended it; None if it has."""
        if self._identity == _identity(self._path) and listens(self._path):
            return None
        return SshError("the ssh that it led through has ended")

    def close(self) -> None:
        """Do nothing: it is shared."""


class _Forwarding:
    """An ssh that goes to the background once it listens.

    Args:
        address: the socket on the other machine.
        path: where ours is to be.
        may_ask: whether ssh may ask the user for something.
    """

    def __init__(self, address: SshAddress, path: str, *, may_ask: bool) -> None:
        self._path = path
        # Two who begin at the same time have one each, and the first one's is found from then on.
        # Beside a control socket that is there already, ssh would never end by itself.
        self._own = f"{path}.{os.urandom(4).hex()}"
        options = {**_OPTIONS, "ControlPath": f"{self._own}.ctl"}
        if not may_ask:
            options["BatchMode"] = "yes"
        self._where = [*(["-p", address.port] if address.port else []), "--"]
        self._where += [f"{address.user}@{address.host}" if address.user else address.host]
        self._argv = ["ssh", "-f", "-N", "-T", "-L", f"{self._own}:{address.path}"]
        self._argv += [f"-o{name}={value}" for name, value in options.items()]
        self._argv += self._where

    async def begin(self, kind: WireKind) -> str:
        """Return the path of a socket that listens.

        Raises:
            SshError: as :meth:`SshDialer.ready`.
        """
        _sweep(self._path)
        done, ended = os.pipe()
        try:
            with _nameless(f"{self._own}.log") as said:
                try:
                    pid = self._spawn(ended, said.fileno())
                finally:
                    os.close(ended)
                status = await _status(pid, done, kind)
                said.seek(0)
                text = said.read(_MOST_SAID).decode(errors="replace")
        finally:
            os.close(done)
        if status:
            raise SshError(self._reason(text, status))
        if listens(self._path):
            return self._own
        try:
            os.rename(self._own, self._path)  # noqa: PTH104 # importing pathlib takes 9 ms
        except OSError:  # something else is there, which is not ours to remove
            return self._own
        return self._path

    def _spawn(self, stdout: int, stderr: int) -> int:
        """Start ssh; return its process number.

        Raises:
            SshError: there is none.
        """
        if shutil.which("ssh") is None:
            raise SshError("there is no ssh command here")
        # Until it is in the background, it ends when we do, by whatever cause, where there is a
        # program to see to that (setpriv(1); prctl(2): a child in the background is free of it).
        tie = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        argv = [*tie, *self._argv]
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            return os.posix_spawnp(
                argv[0],
                argv,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, fd, number)
                    for number, fd in enumerate((null, stdout, stderr))
                ],
                setsigmask=(),
                setsigdef=(signal.SIGPIPE,),  # which Python ignores
            )
        finally:
            os.close(null)

    def _reason(self, text: str, status: int) -> str:
        lines = [line for line in map(str.strip, text.splitlines()) if line]
        last = lines[-1] if lines else f"its exit status is {status}"
        said = last.removeprefix("ssh: ").removesuffix(".")
        return f"ssh says: {said}; see what this does: {' '.join(['ssh', *self._where])}"


async def _status(pid: int, stdout: int, kind: WireKind) -> int:
    """Return the exit status of a process, or its signal below 0, once it has let go of stdout."""
    try:
        await kind.readable(stdout)
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _reap(pid)
        raise
    return _reap(pid)


def _reap(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _nameless(path: str) -> BinaryIO:
    """Open a file for both, which is gone once it is closed."""
    file = open(path, "w+b")  # noqa: PTH123, SIM115 # importing pathlib takes 9 ms; the caller's
    os.unlink(path)  # noqa: PTH108 # as above
    return file


def _path(url: str) -> str:
    """Return where the socket is that leads to an address.

    Raises:
        SshError: there is no folder that is only ours.
    """
    from hashlib import sha256  # noqa: PLC0415 # it takes 5 ms

    uid = os.getuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        # Without symbolic links, which somebody might exchange.
        runtime = os.path.realpath(runtime)
    for folder in ([f"{runtime}/rind"] if runtime else []) + [_FALLBACK.format(uid)]:
        path = f"{folder}/{sha256(url.encode()).hexdigest()[:24]}"
        if can_be_forwarded(path) and len(path) <= _LONGEST_PATH and _is_ours(folder, uid):
            return path
    raise SshError(f"the folder {folder} for the sockets of ssh is not only ours: remove it")


def _is_ours(folder: str, uid: int) -> bool:
    """Make a folder unless it is there; return whether nobody else can do anything in it.

    Nor exchange it, as the user whose XDG_RUNTIME_DIR ``sudo -E`` has kept could.
    """
    parent = os.path.dirname(folder)  # noqa: PTH120 # importing pathlib takes 9 ms
    while True:
        try:
            above = os.lstat(parent)
        except OSError:
            return False
        is_shared = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(above.st_mode) or above.st_uid not in {0, uid} or is_shared:
            return False
        if parent == "/":
            break
        parent = os.path.dirname(parent)  # noqa: PTH120 # as above
    with suppress(OSError):
        os.mkdir(folder, 0o700)  # noqa: PTH102 # importing pathlib takes 9 ms
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 # importing pathlib takes 9 ms
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sweep(path: str) -> None:
    """Remove what is left of a connection to the same place that was killed."""
    folder, _, name = path.rpartition("/")
    before = time.time() - _BEGINNING
    for entry in os.scandir(folder):
        if entry.name.startswith(f"{name}.") and not listens(entry.path):
            with suppress(OSError):  # it is gone, or is no socket
                if entry.stat().st_mtime < before:
                    os.unlink(entry.path)  # noqa: PTH108 # as above
