"""Where a directory of this machine is in a container: through its bind mounts. Pure."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from rind.model import Mount

__all__ = ["container_path", "host_path"]

_DESKTOP: Final = (
    # Docker Desktop runs the engine in a virtual machine, and names this machine's files as that
    # has them: on macOS, and on Windows, whose drive C: is /mnt/c in WSL.
    ("/host_mnt", "/"),
    ("/run/desktop/mnt/host/wsl", "/"),
    ("/run/desktop/mnt/host", "/mnt"),
)


def host_path(source: str) -> PurePosixPath:
    """Return a bind mount's source as this machine names it, if Docker Desktop has the engine."""
    path = PurePosixPath(source)
    for prefix, replacement in _DESKTOP:
        if path.is_relative_to(prefix):
            return PurePosixPath(replacement, path.relative_to(prefix))
    return path


def container_path(cwd: PurePosixPath, mounts: Iterable[Mount]) -> str | None:
    """Return where a container has ``cwd``, by the mount with the longest source.

    The sources must be named as ``cwd`` is, see :mod:`rind.caller`.

    None where no mount has it.

    >>> container_path(PurePosixPath("/home/me/shop/api"), [Mount("/home/me/shop", "/app")])
    '/app/api'
    """
    found = [(PurePosixPath(mount.source), mount.target) for mount in mounts]
    found = [(source, target) for source, target in found if cwd.is_relative_to(source)]
    if not found:
        return None
    source, target = max(found, key=lambda pair: len(pair[0].parts))
    return str(PurePosixPath(target, cwd.relative_to(source)))
