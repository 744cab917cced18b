"""The processes of this machine: which of them are a container's, and signals to those.

An engine on this machine names the processes of its containers by numbers that are ours too. But
whatever answers as an engine can name any number, so a process is signalled only where it is
proven that it is of the container:

* The engine is here: what listens at the unix socket is, as the kernel has it, an engine's own
  process in our PID namespace (:func:`is_engine`). A forwarded socket is listened at by ssh.
* The container's ID, all 64 digits of it, is a part of the process's cgroup.
* It is the process that was looked at: it is held by a pidfd, which no reuse of its number fools.
"""

import os
import re
import signal
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["is_engine", "session_of", "signal_tree"]

_PROC: Final = Path("/proc")

_ENGINES: Final = frozenset(["dockerd", "podman", "systemd"])
"""Programs that listen for an engine. With socket activation, the kernel names systemd."""

_UCRED: Final = struct.Struct("3i")
"""Linux's struct ucred (unix(7)): process, user, group."""

_STATE, _PARENT, _SESSION, _START_TIME = 0, 1, 3, 19
"""Of a process's stat, counted after its name (proc(5))."""

_NONE: Final = OSError, OverflowError, ValueError, LookupError
"""How a number, or a file of /proc, says that there is no such process (any more)."""

Stats = Mapping[int, list[str]]


def is_engine(path: str) -> bool:
    """Return whether an engine of our PID namespace listens at a unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.setblocking(False)
            connection.connect(path)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, _ = _UCRED.unpack(peer)
        if pid <= 0 or uid not in {0, os.geteuid()}:
            return False  # it is of another namespace, or of another user
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return False  # what is mounted there is not of our namespace
        folder = _PROC / str(pid)
        return (folder / "comm").read_text().strip() in _ENGINES and _numbers(folder) == [str(pid)]
    except (OSError, ValueError, AttributeError):
        return False  # SO_PEERCRED is Linux's


def session_of(pid: int, container_id: str) -> tuple[str, str] | None:
    """Return a container's process's session, as the container numbers it, and its start time.

    None where there is no such process, or it is not proven to be of the container. It must be
    the leader of its session, as what was exec'd is.
    """
    with suppress(*_NONE), _held(pid) as pidfd:
        folder = _PROC / str(pid)
        if _is_of(folder, container_id):
            found = _numbers(folder)[-1], _stat(folder)[_START_TIME]
            signal.pidfd_send_signal(pidfd, 0)  # it is there still: all this was about it
            return found
    return None


def signal_tree(number: int, variable: str, root: int, container_id: str) -> int:
    """Signal a command's tree among a container's processes; return how many there are.

    Args:
        number: the signal; 0 for none.
        variable: what marks the tree, ``NAME=value`` in the environment.
        root: the command's own process; 0 where that is not known.
        container_id: 64 hexadecimal digits.

    Raises:
        PermissionError: we are not root, and can see none of them.
    """
    bearers = {root} if root else set()
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
        with suppress(*_NONE), _held(pid) as pidfd:
            if _stat(_PROC / str(pid))[_START_TIME] == stats[pid][_START_TIME]:
                signal.pidfd_send_signal(pidfd, number)
    return len(tree)


@contextmanager
def _held(pid: int) -> Iterator[int]:
    """Hold a process: while the pidfd can be signalled, its number is not another's."""
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def _is_of(folder: Path, container_id: str) -> bool:
    """Whether a process's cgroup is a container's, as Docker and Podman name it."""
    if not re.fullmatch("[0-9a-f]{64}", container_id):
        return False
    part = rf"/(?:(?:docker|libpod)-)?{container_id}(?:\.scope)?(?:/|$)"
    return re.search(part, (folder / "cgroup").read_text(), re.MULTILINE) is not None


def _numbers(folder: Path) -> list[str]:
    """Return a process's numbers, from our PID namespace down to its own."""
    status = (folder / "status").read_text()
    found = re.search(r"^NSpid:\t([\d\t]+)$", status, re.MULTILINE)
    return found[1].split() if found else []


def _stat(folder: Path) -> list[str]:
    """Return the fields of a process's stat after its name, which may hold anything."""
    return (folder / "stat").read_bytes().rpartition(b") ")[2].decode().split()


def _tree(stats: Stats, bearers: set[int]) -> set[int]:
    """Add to processes those in their sessions and their children: as ``find_tree`` does it."""
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
