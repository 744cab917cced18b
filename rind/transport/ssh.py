"""ssh: a local socket that the user's own ssh forwards to the engine's socket on another machine.

The user's configuration, keys, agent and known hosts apply, and ssh asks for passwords as usual.
Later commands use the same ssh and start none. docker instead runs one ssh for each connection
(``docker system dial-stdio``), and each logs in again.

ssh goes to the background once its socket listens (ssh(1), -f). It exits by itself after
:data:`IDLE` seconds without a connection, even if Rind was killed.
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

    from rind.base.deadline import Deadline
    from rind.endpoint.address import SshAddress
    from rind.transport.wire import Wire, WireKind

__all__ = ["IDLE", "SshDialer", "SshError"]

IDLE: Final = 10
"""Seconds after which an unused ssh exits."""

CONNECT_TIMEOUT: Final = 30
"""Seconds for the other machine to answer, without the time that the user takes at a prompt."""

_MOST_STDERR: Final = 4096
"""Most bytes read of ssh's stderr."""

_FALLBACK: Final = "/tmp/rind-{}"  # noqa: S108 # see _is_private()
"""The folder for a user without a usable XDG_RUNTIME_DIR."""

_LEFTOVER_AGE: Final = 60
"""Seconds after which a socket that does not listen is a leftover: no ssh takes that long."""

_LONGEST_PATH: Final = 60
"""Most bytes of our socket's path. ssh's own paths are longer, up to the 107 of a socket's path."""

_OPTIONS: Final = {
    "ControlMaster": "yes",
    "ControlPersist": str(IDLE),
    "ConnectTimeout": str(CONNECT_TIMEOUT),
    # Notice within a minute that the host has vanished.
    "ServerAliveInterval": "20",
    # The user's configuration may forward ports too, which another ssh may have bound already.
    "ExitOnForwardFailure": "no",
    "RemoteCommand": "none",
}

_GONE: Final = (ConnectionRefusedError, FileNotFoundError)
"""The errors of connecting to a socket without a listener."""


class SshError(ConnectionError):
    """ssh cannot reach the other machine. The message has ssh's reason."""


class SshDialer:
    """Connects by ssh.

    Args:
        url: an accepted ``ssh://`` URL.
        kind: the kind of the wires.
        interactive: whether ssh may prompt the user.
    """

    def __init__(self, url: str, kind: WireKind, *, interactive: bool) -> None:
        self.name = "docker"
        self._url = url
        self._kind = kind
        self._interactive = interactive
        self._address = read_ssh(url)
        self._lock = kind.lock()
        self._socket = ""

    async def ready(self) -> None:
        """Start an ssh, unless one already listens for this URL.

        Raises:
            SshError: the other machine cannot be reached.
            OSError: the forwarded socket cannot be created.
        """
        async with self._lock:
            if not self._socket:
                path = _path(self._url)
                if not listens(path):
                    forwarding = _Forwarding(self._address, path, interactive=self._interactive)
                    path = await forwarding.begin(self._kind)
                self._socket = path

    async def dial(self, deadline: Deadline) -> Wire:
        """Connect before ``deadline``. A new ssh, where it needs one, is not limited by that."""
        await self.ready()
        try:
            wire = await self._kind.open((socket.AF_UNIX, self._socket), deadline)
        except _GONE:
            # ssh has exited: it was idle for too long, or its connection was cut. Start another.
            self._socket = ""
            await self.ready()
            wire = await self._kind.open((socket.AF_UNIX, self._socket), deadline)
        wire.tunnel = _SharedSsh(self._socket)
        return wire

    def using(self, kind: WireKind) -> SshDialer:
        """Return a dialer for the same engine with wires of another kind."""
        return SshDialer(self._url, kind, interactive=self._interactive)


class _SharedSsh:
    """The ssh that forwards a connection.

    When ssh exits, the forwarded connection ends cleanly, as if the engine had ended it. This class
    distinguishes the two: the ssh is alive if its socket is still the same one, and listens.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = _identity(path)

    @property
    def failure(self) -> OSError | None:
        """Why the connection ended, if ssh has exited; None if ssh is alive."""
        if self._identity == _identity(self._path) and listens(self._path):
            return None
        return SshError("the ssh that forwarded it has exited")

    def close(self) -> None:
        """Do nothing: other connections use the same ssh."""

    def forget(self) -> None:
        """Do nothing: the ssh is a process of its own."""


class _Forwarding:
    """An ssh that goes to the background once it listens.

    Args:
        address: the socket on the other machine.
        path: of the local socket.
        interactive: whether ssh may prompt the user.
    """

    def __init__(self, address: SshAddress, path: str, *, interactive: bool) -> None:
        self._path = path
        # Two programs that start at the same time have an ssh each. The first to rename its socket
        # to `path` serves later commands. The control socket's name must be new too: if it exists,
        # ssh disables multiplexing, and then never exits by itself.
        self._own = f"{path}.{os.urandom(4).hex()}"
        options = {**_OPTIONS, "ControlPath": f"{self._own}.ctl"}
        if not interactive:
            options["BatchMode"] = "yes"
        self._destination = [*(["-p", address.port] if address.port else []), "--"]
        self._destination += [f"{address.user}@{address.host}" if address.user else address.host]
        self._argv = ["ssh", "-f", "-N", "-T", "-L", f"{self._own}:{address.path}"]
        self._argv += [f"-o{name}={value}" for name, value in options.items()]
        self._argv += self._destination

    async def begin(self, kind: WireKind) -> str:
        """Start ssh, wait until it listens, and return the path of its socket.

        Raises:
            SshError: as :meth:`SshDialer.ready`.
        """
        _sweep(self._path)
        # ssh holds the pipe as its stdout until it exits or goes to the background.
        reader, writer = os.pipe()
        try:
            with _unlinked(f"{self._own}.log") as stderr:
                try:
                    pid = self._spawn(writer, stderr.fileno())
                finally:
                    os.close(writer)
                status = await _status(pid, reader, kind)
                stderr.seek(0)
                text = stderr.read(_MOST_STDERR).decode(errors="replace")
        finally:
            os.close(reader)
        if status:
            raise SshError(self._reason(text, status))
        if listens(self._path):
            return self._own
        try:
            os.rename(self._own, self._path)
        except OSError:  # a directory, for example, which is not ours to remove
            return self._own
        return self._path

    def _spawn(self, stdout: int, stderr: int) -> int:
        """Start ssh; return its process number.

        Raises:
            SshError: no ssh is installed.
        """
        if shutil.which("ssh") is None:
            raise SshError("the ssh command is not installed")
        # If setpriv(1) is installed, ssh ends whenever this process exits, for any reason. That
        # holds until ssh is in the background: its fork there does not inherit it (prctl(2)).
        # macOS has nothing like it: there, an ssh whose Rind was killed ends after the login.
        prefix = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        argv = [*prefix, *self._argv]
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
                setsigdef=(signal.SIGPIPE,),  # Python ignores it, and a child would inherit that
            )
        finally:
            os.close(null)

    def _reason(self, text: str, status: int) -> str:
        lines = [line for line in map(str.strip, text.splitlines()) if line]
        last = lines[-1] if lines else f"its exit status is {status}"
        reason = last.removeprefix("ssh: ").removesuffix(".")
        return f"ssh says: {reason}; to see more, run: {' '.join(['ssh', *self._destination])}"


async def _status(pid: int, stdout: int, kind: WireKind) -> int:
    """Wait until a process closes its stdout, and exits; return its status, or -signal."""
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


def _unlinked(path: str) -> BinaryIO:
    """Open a temporary file for reading and writing, already removed from its folder."""
    file = open(path, "w+b")  # noqa: SIM115 # importing pathlib takes 9 ms; the caller closes it
    os.unlink(path)
    return file


def _path(url: str) -> str:
    """Return the path of the local socket for a URL.

    Raises:
        SshError: no folder is private to this user.
    """
    from hashlib import sha256  # it takes 5 ms

    uid = os.getuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        # Another user might exchange a symbolic link in the path.
        runtime = os.path.realpath(runtime)
    parent, _, name = _FALLBACK.format(uid).rpartition("/")
    fallback = f"{os.path.realpath(parent)}/{name}"  # /tmp of macOS is a symbolic link
    for folder in ([f"{runtime}/rind"] if runtime else []) + [fallback]:
        path = f"{folder}/{sha256(url.encode()).hexdigest()[:24]}"
        if can_be_forwarded(path) and len(path) <= _LONGEST_PATH and _is_private(folder, uid):
            return path
    raise SshError(f"the folder {folder} for the sockets of ssh is not private: remove it")


def _is_private(folder: str, uid: int) -> bool:
    """Create a folder if needed; return whether no other user can use or replace it.

    Under ``sudo -E``, XDG_RUNTIME_DIR still is the first user's, who could replace folders in it.
    """
    parent = os.path.dirname(folder)
    while True:
        try:
            above = os.lstat(parent)
        except OSError:
            return False
        # Others may write to it and, without the sticky bit, rename entries that are not theirs.
        is_shared = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(above.st_mode) or above.st_uid not in {0, uid} or is_shared:
            return False
        if parent == "/":
            break
        parent = os.path.dirname(parent)
    with suppress(OSError):
        os.mkdir(folder, 0o700)
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sweep(path: str) -> None:
    """Remove the sockets that a killed ssh to the same URL has left."""
    folder, _, name = path.rpartition("/")
    before = time.time() - _LEFTOVER_AGE
    for entry in os.scandir(folder):
        if entry.name.startswith(f"{name}.") and not listens(entry.path):
            with suppress(OSError):  # already removed
                if entry.stat().st_mtime < before:
                    os.unlink(entry.path)
