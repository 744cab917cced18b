"""Where a directory of this machine is in a container: through its bind mounts. Pure."""

from __future__ import annotations

from rind.base.records import replace
from rind.model import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from rind.model import Container

__all__ = ["below", "container_path", "host_path", "joined", "parts", "seen_through"]

_UNSEEN: Final = "/(host)"
"""Before the name of a folder that no mount of ours has: no path begins so."""

_DESKTOP: Final = (
    # Docker Desktop runs the engine in a virtual machine, and names this machine's files as that
    # has them: on macOS, and on Windows, whose drive C: is /mnt/c in WSL.
    ("/host_mnt", "/"),
    ("/run/desktop/mnt/host/wsl", "/"),
    ("/run/desktop/mnt/host", "/mnt"),
)


def parts(path: str) -> list[str]:
    """Return the names in a path, as :class:`pathlib.PurePosixPath`, which takes 9 ms to import."""
    return [name for name in path.split("/") if name not in {"", "."}]


def joined(*paths: str) -> str:
    """Return the absolute path that results from going from one path to the next.

    >>> joined("/app", "api")
    '/app/api'
    """
    names: list[str] = []
    for path in paths:
        names = parts(path) if path.startswith("/") else [*names, *parts(path)]
    return "/" + "/".join(names)


def below(path: str, folder: str) -> list[str] | None:
    """Return the names that lead from a folder to an absolute path in it; None if it is elsewhere.

    >>> below("/home/me/shop/api", "/home/me")
    ['shop', 'api']
    """
    names, first = parts(path), parts(folder)
    inside = path.startswith("/") and folder.startswith("/") and names[: len(first)] == first
    return names[len(first) :] if inside else None


def host_path(source: str) -> str:
    """Return a bind mount's source as this machine names it, if Docker Desktop has the engine."""
    for prefix, replacement in _DESKTOP:
        if (rest := below(source, prefix)) is not None:
            return joined(replacement, *rest)
    return source


def container_path(cwd: str, mounts: Iterable[Mount]) -> str | None:
    """Return where a container has ``cwd``, by the mount with the longest source.

    The sources must be named as ``cwd`` is, see :mod:`rind.find.caller`.

    None where no mount has it.

    >>> container_path("/home/me/shop/api", [Mount("/home/me/shop", "/app")])
    '/app/api'
    """
    found = [
        (rest, mount.target) for mount in mounts if (rest := below(cwd, mount.source)) is not None
    ]
    if not found:
        return None
    rest, target = min(found, key=lambda pair: len(pair[0]))
    return joined(target, *rest)


def seen_through(container: Container, own: Sequence[Mount]) -> Container:
    """Return a container with its folders as another one sees them, by that one's bind mounts.

    A folder that none of the mounts has gets a name that is no path.
    """
    # Docker Desktop names a folder in one way in a mount, and in another in a label.
    both = [*own, *(Mount(host_path(mount.source), mount.target) for mount in own)]

    def inside(path: str) -> str:
        """Return the name of a project's folder."""
        seen = container_path(path, both) if path else ""
        return _UNSEEN + path if seen is None else seen

    def through(mount: Mount) -> list[Mount]:
        """Return what of a mount is seen."""
        seen = container_path(mount.source, own)
        # Or the other way round, each of ours that it has as a whole.
        parts_of_it = [
            Mount(one.target, joined(mount.target, *rest))
            for one in own
            if (rest := below(one.source, mount.source))
        ]
        return [Mount(_UNSEEN + mount.source if seen is None else seen, mount.target), *parts_of_it]

    return replace(
        container,
        mounts=[one for mount in container.mounts for one in through(mount)],
        folder=inside(container.folder),
        local_folder=inside(container.local_folder),
        config_files=[inside(file) for file in container.config_files],
    )
