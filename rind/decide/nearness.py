"""How near a container is: the depth of its folders that the caller stands in. Pure.

A container's folders are its Compose project's, the one that it is the dev container of, and its
bind mounts; :func:`rind.find.caller.placed` has named them as the caller's working directory is
named.
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
    "is_of_another_project",
    "nearest",
    "nearness",
    "stands_elsewhere",
]


def stands_elsewhere(container: Container, caller: Caller) -> bool:
    """Return whether we are in a Compose project's folder, and the container is of another's."""
    if caller.project and container.project == caller.project:
        return False
    folder = caller.compose_folder
    other = bool(container.folder) and folder is not None and folder != container.folder
    return other and not nearness(container, caller)


def is_of_another_project(container: Container, caller: Caller) -> bool:
    """Whether its project's folder is another one than the caller's, and neither has the other."""
    ours, theirs = caller.compose_folder, container.folder
    if ours is None or not theirs:
        return False
    return below(ours, theirs) is None and below(theirs, ours) is None


def nearest(containers: Sequence[Container], caller: Caller) -> list[Container]:
    """Return those whose folder the caller stands in the deepest; all if in none."""
    depths = {one.id: nearness(one, caller) for one in containers}
    return deepest(containers, depths) or list(containers)


def deepest(containers: Sequence[Container], depths: Mapping[str, int]) -> list[Container]:
    """Return those that have the greatest depth, by their IDs; empty where that is 0."""
    most = max(depths.values(), default=0)
    return [container for container in containers if most and depths[container.id] == most]


def nearness(container: Container, caller: Caller) -> int:
    """Return the depth of the deepest of its folders that the caller stands in; 0 for none."""
    return depth(around(container, caller), caller.cwd)


def around(container: Container, caller: Caller) -> list[str]:
    """Return the container's folders that the caller stands in.

    Not those that have the caller's whole checkout in them, where they are another checkout's.
    """
    return [
        folder
        for folder in container.folders
        if below(caller.cwd, folder) is not None
        if container.checkout != "another" or below(folder, caller.checkout) is not None
    ]


def depth(folders: Sequence[str], path: str) -> int:
    """Count the parts of the deepest of the folders that have a path in them; 0 for none."""
    # One more for the root directory, which is a folder too.
    inside = [len(parts(folder)) + 1 for folder in folders if below(path, folder) is not None]
    return max(inside, default=0)
