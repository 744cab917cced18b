"""Where Rind itself runs in a container of the engine, as in a dev container with its socket.

The labels and mounts of other containers then name folders of the engine's host, and the caller
stands in a folder of its own container. The bind mounts of that container translate between the
two. A folder outside of them gets no name here, even if the container has one of the same name.
"""

from __future__ import annotations

from rind.base.light import pattern, socket
from rind.decide.workdir import seen_through
from rind.model import FULL_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from rind.engine.engine import Engine
    from rind.model import Container

__all__ = ["as_seen_here", "own_id"]

_MOUNTS: Final = "/proc/self/mountinfo"
_FILES: Final = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
"""What an engine mounts into each container, from a folder that has the container's ID as name."""

_ID: Final = pattern(rf"/(?:containers|overlay-containers)/({FULL_ID})/")
"""Docker's folder, and Podman's."""

_SHORT_ID: Final = pattern("[0-9a-f]{12}")
"""The host name of a container that was not given another."""


async def as_seen_here(engine: Engine, containers: Sequence[Container]) -> list[Container]:
    """Return containers with their folders as this process sees them.

    That takes one request, and only if this process runs in a container.

    Raises:
        EngineError: the engine failed.
    """
    mine = own_id() if any(container.folders for container in containers) else None
    own = await engine.container_by_id(mine) if mine is not None else None
    if own is None:
        return [*containers]
    return [seen_through(container, own.mounts) for container in containers]


def own_id() -> str | None:
    """Return the ID of the container that this process may be in; None for none."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                if "containers/" in line:
                    # proc_pid_mountinfo(5): number, parent, device, root, mount point ...
                    _, _, _, root, point, *_ = line.split()
                    if point in _FILES and (match := _ID.search(root)):
                        return match[1]
    except (OSError, ValueError):
        return None
    name = socket.gethostname()
    return name if _SHORT_ID.fullmatch(name) else None
