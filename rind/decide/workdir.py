"""Where a directory of this machine is in a container: through its bind mounts. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from rind.model import Mount

__all__ = ["below", "container_path", "host_path", "joined", "parts"]

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

    The sources must be named as ``cwd`` is, see :mod:`rind.caller`.

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
