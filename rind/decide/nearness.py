"""How near a container is: the depth of its folders that contain the working directory. Pure.

A container's folders are its Compose project's, its dev container's and the sources of its bind
mounts. :func:`rind.find.caller.placed` has renamed them, so that they can be compared with the
caller's working directory by their names.
"""

from __future__ import annotations

from rind.decide.workdir import below, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rind.model import Caller, Container

__all__ = [
    "around",
    "deepest",
    "depth",
    "is_foreign",
    "is_of_another_project",
    "nearest",
    "nearness",
]


def is_foreign(container: Container, caller: Caller) -> bool:
    """Whether the caller is in a Compose project's folder, and the container in another's."""
    if container.project == caller.project:
        return False
    folder = caller.compose_folder
    other = bool(container.folder) and folder is not None and folder != container.folder
    return other and not nearness(container, caller)


def is_of_another_project(container: Container, caller: Caller) -> bool:
    """Whether its project's folder is not the caller's, and neither contains the other."""
    ours, theirs = caller.compose_folder, container.folder
    if ours is None or not theirs:
        return False
    return below(ours, theirs) is None and below(theirs, ours) is None


def nearest(containers: Sequence[Container], caller: Caller) -> list[Container]:
    """Return the nearest containers; all of them if none has a folder around the caller."""
    depths = {container.id: nearness(container, caller) for container in containers}
    return deepest(containers, depths) or list(containers)


def deepest(containers: Sequence[Container], depths: Mapping[str, int]) -> list[Container]:
    """Return the containers with the greatest depth; empty if that is 0.

    Args:
        containers: the containers.
        depths: the depth of each, by its ID.
    """
    most = max(depths.values(), default=0)
    return [container for container in containers if most and depths[container.id] == most]


def nearness(container: Container, caller: Caller) -> int:
    """Return the depth of its deepest folder that contains the working directory; 0 for none."""
    return depth(around(container, caller), caller.cwd)


def around(container: Container, caller: Caller) -> list[str]:
    """Return the container's folders that contain the caller's working directory.

    For a container of another checkout, folders that contain the caller's whole checkout do not
    count: a worktree inside another one does not belong to it.
    """
    return [
        folder
        for folder in container.folders
        if below(caller.cwd, folder) is not None
        if container.checkout != "another" or below(folder, caller.checkout) is not None
    ]


def depth(folders: Sequence[str], path: str) -> int:
    """Return the depth of the deepest folder that contains a path; 0 if none does."""
    # The root directory counts as 1: a mount of it is a folder around every path.
    inside = [len(parts(folder)) + 1 for folder in folders if below(path, folder) is not None]
    return max(inside, default=0)
