"""Locates this machine's directories in a container, through its bind mounts. Pure."""

from __future__ import annotations

from rind.base.records import replace
from rind.model import Mount, is_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    from rind.model import Container

__all__ = [
    "below",
    "container_path",
    "host_path",
    "joined",
    "named_source",
    "parts",
    "seen_through",
]

_UNSEEN: Final = "/(host)"
"""The prefix of a folder that none of our mounts contains. Real paths do not begin with it."""

_DESKTOP: Final = (
    # An engine in a virtual machine may report this machine's files by their paths there: Docker
    # Desktop on macOS, and on Windows, whose drive C: is /mnt/c in WSL; OrbStack. Colima, Lima,
    # Rancher Desktop and Podman's machine have them at the same paths as this machine.
    ("/host_mnt", "/"),
    ("/mnt/mac", "/"),
    ("/run/desktop/mnt/host/wsl", "/"),
    ("/run/desktop/mnt/host", "/mnt"),
)


_HASHED: Final = "/run/desktop/mnt/host/wsl/docker-desktop-bind-mounts"
"""Docker Desktop's folder of a WSL distribution's files, which have the names of hashes there."""

_BIND: Final = "desktop.docker.io/binds"
"""The labels in which Docker Desktop keeps a bind mount's source as it was given:
``/NUMBER/Source``, ``SourceKind`` and ``Target``."""

_MOST_BINDS: Final = 100


def parts(path: str) -> list[str]:
    """Return the names in a path, without :mod:`pathlib`, which takes 9 ms to import."""
    return [name for name in path.split("/") if name not in {"", "."}]


def joined(*paths: str) -> str:
    """Return the absolute path that joins paths; an absolute one discards those before it.

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
    """Return this machine's path of a bind mount's source, undoing a virtual machine's prefix."""
    for prefix, replacement in _DESKTOP:
        if (rest := below(source, prefix)) is not None:
            return joined(replacement, *rest)
    return source


def named_source(source: str, target: str, labels: Mapping[str, str]) -> str:
    """Return a bind mount's source; for a hash of Docker Desktop's, the path in its labels."""
    if below(source, _HASHED) is not None:
        for number in range(_MOST_BINDS):
            if (bound := labels.get(f"{_BIND}/{number}/Target")) is None:
                break
            path = labels.get(f"{_BIND}/{number}/Source", "")
            if bound == target and is_path(path):
                return path
    return source


def container_path(cwd: str, mounts: Iterable[Mount]) -> str | None:
    """Return the path of ``cwd`` in a container, by the mount with the deepest source.

    None if no mount contains it. The sources must be renamed as :mod:`rind.find.caller` does, so
    that they can be compared with ``cwd`` by name.

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
    """Return a container with its folders named as our own container names them.

    Args:
        container: any container of the engine.
        own: the bind mounts of the container that we run in. A folder that none of them contains
            gets a name that no path has.
    """
    # Docker Desktop writes the same folder differently in mounts and in labels.
    both = [*own, *(Mount(host_path(mount.source), mount.target) for mount in own)]

    def inside(path: str) -> str:
        """Return our name of a project's folder."""
        seen = container_path(path, both) if path else ""
        return _UNSEEN + path if seen is None else seen

    def through(mount: Mount) -> list[Mount]:
        """Return a mount as mounts of the folders that we can see."""
        seen = container_path(mount.source, own)
        # Our mounts may also be within its source: each of them is a part that we see.
        visible = [
            Mount(our.target, joined(mount.target, *rest))
            for our in own
            if (rest := below(our.source, mount.source))
        ]
        return [Mount(_UNSEEN + mount.source if seen is None else seen, mount.target), *visible]

    return replace(
        container,
        mounts=[seen for mount in container.mounts for seen in through(mount)],
        folder=inside(container.folder),
        local_folder=inside(container.local_folder),
        config_files=[inside(file) for file in container.config_files],
    )
