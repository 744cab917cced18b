"""Finds a container's processes among those of this machine, and signals them.

The process numbers that an engine on this machine reports are valid here too. But any program can
pose as an engine and report any number, so a process is signalled only if all of this holds:

* The engine is on this machine: according to the kernel, the listener at the unix socket is an
  engine's process in our PID namespace (:func:`is_engine`). The listener at a forwarded socket is
  ssh.
* The process's cgroup contains the container's whole ID, 64 digits.
* It is the process that was inspected: a pidfd holds it, so its number cannot be reused meanwhile.

Only on Linux: elsewhere, containers run in a virtual machine, and their numbers are its own.
"""

import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rind.base.readiness import readable
from rind.model import is_full_id
from rind.reaper.scripts import Session

__all__ = ["is_engine", "is_up", "session_of", "signal_tree", "until_ended"]

_PROC: Final = Path("/proc")

_ENGINES: Final = frozenset(["dockerd", "podman", "systemd"])
"""Programs that listen at an engine's socket. With socket activation, systemd does."""

_UCRED: Final = struct.Struct("3i")
"""Linux's struct ucred (unix(7)): process, user, group."""

_STATE, _PARENT, _SESSION, _FLAGS, _START_TIME = 0, 1, 3, 6, 19
"""Fields of a process's stat, counted after its name (proc(5))."""

_EXITING: Final = 0x4
"""The flag of a process that is about to end (Linux, PF_EXITING). When a container's first process
ends, so do all others."""

_NO_PROCESS: Final = OSError, OverflowError, ValueError, LookupError
"""Errors that occur if a process does not exist, or no longer, by number or in /proc."""

Stats = Mapping[int, list[str]]


def is_engine(path: str) -> bool:
    """Whether an engine in our PID namespace listens at a unix socket."""
    if sys.platform != "linux":
        return False
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.setblocking(False)
            connection.connect(path)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, _ = _UCRED.unpack(peer)
        if pid <= 0 or uid not in {0, os.geteuid()}:
            return False  # in another namespace, or of another user
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return False  # the /proc that is mounted belongs to another namespace
        folder = _PROC / str(pid)
        return (folder / "comm").read_text().strip() in _ENGINES and _numbers(folder) == [str(pid)]
    except (OSError, ValueError):
        return False


def session_of(pid: int, container_id: str) -> Session | None:
    """Return a process's session.

    Return None if the process does not exist, or may not be the container's. It must lead its
    session, as every exec'd process does.
    """
    with suppress(*_NO_PROCESS), _held(pid) as pidfd:
        folder = _PROC / str(pid)
        if _is_of(folder, container_id):
            found = Session(_numbers(folder)[-1], _stat(folder)[_START_TIME])
            _send(pidfd, 0)  # it still exists, so all of this was about it
            return found
    return None


async def until_ended(pid: int, container_id: str) -> bool:
    """Wait until a container's process ends; return False at once if it is not visible."""
    with suppress(*_NO_PROCESS), _held(pid) as pidfd:
        if _is_of(_PROC / str(pid), container_id):
            await readable(pidfd)
            return True
    return False


def is_up(container_id: str) -> bool:
    """Whether a container's first process is visible, and not about to end."""
    for folder in _PROC.glob("[0-9]*"):
        with suppress(*_NO_PROCESS):
            if _is_of(folder, container_id) and _numbers(folder)[1:] == ["1"]:
                stat = _stat(folder)
                return stat[_STATE] not in "XZ" and not int(stat[_FLAGS]) & _EXITING
    return False


def signal_tree(number: int, variable: str, root: int | None, container_id: str) -> int:
    """Signal a command's tree among a container's processes; return the number of processes.

    Args:
        number: the signal; 0 for none.
        variable: the environment variable that marks the tree, as ``NAME=value``.
        root: the command's own process; None if unknown.
        container_id: 64 hexadecimal digits.

    Raises:
        PermissionError: we are not root, and can see no process of the tree.
    """
    bearers = set() if root is None else {root}
    stats = {}
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            if not _is_of(folder, container_id):
                continue
            stats[int(folder.name)] = _stat(folder)
            if os.fsencode(variable) in (folder / "environ").read_bytes().split(b"\0"):
                bearers.add(int(folder.name))
    if not bearers and os.geteuid() != 0:
        raise PermissionError
    tree = _tree(stats, bearers)
    for pid in tree:
        with suppress(*_NO_PROCESS), _held(pid) as pidfd:
            if _stat(_PROC / str(pid))[_START_TIME] == stats[pid][_START_TIME]:
                _send(pidfd, number)
    return len(tree)


@contextmanager
def _held(pid: int) -> Iterator[int]:
    """Hold a process by a pidfd: while that can be signalled, its number is not reused."""
    if sys.platform != "linux":
        raise ProcessLookupError
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def _send(pidfd: int, number: int) -> None:
    if sys.platform == "linux":
        signal.pidfd_send_signal(pidfd, number)


def _is_of(folder: Path, container_id: str) -> bool:
    """Whether a process's cgroup is a container's, as Docker and Podman name it."""
    if not is_full_id(container_id):
        return False
    part = rf"/(?:(?:docker|libpod)-)?{container_id}(?:\.scope)?(?:/|$)"
    return re.search(part, (folder / "cgroup").read_text(), re.MULTILINE) is not None


def _numbers(folder: Path) -> list[str]:
    """Return a process's numbers, from the one in our PID namespace to the one in its own."""
    status = (folder / "status").read_text()
    found = re.search(r"^NSpid:\t([\d\t]+)$", status, re.MULTILINE)
    return found[1].split() if found else []


def _stat(folder: Path) -> list[str]:
    """Return the fields of a process's stat after its name, which may contain any bytes."""
    return (folder / "stat").read_bytes().rpartition(b") ")[2].decode().split()


def _tree(stats: Stats, bearers: set[int]) -> set[int]:
    """Return the tree of the bearers: with each process also its children, and its whole session.

    ``find_tree`` in :mod:`rind.reaper.scripts` does this within the container.
    """
    living = {pid: stat for pid, stat in stats.items() if stat[_STATE] not in "XZ"}
    tree = bearers & living.keys()
    while True:
        sessions = {living[pid][_SESSION] for pid in tree}
        grown = {
            pid
            for pid, stat in living.items()
            if pid in tree or stat[_SESSION] in sessions or int(stat[_PARENT]) in tree
        }
        if grown == tree:
            return tree
        tree = grown
