"""Where the caller stands, and which folders of this machine a container's labels and mounts name.

A container's paths come from elsewhere: any image can name any path. So they are looked up only
where a decision depends on it, with one system call each, and only compared with the folders that
the caller stands in. A path that leads to one of these, also through symbolic links, gets its name.
"""

from __future__ import annotations

import os

from rind.decide.workdir import host_path
from rind.model import Caller, Mount
from rind.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from rind.model import Container

__all__ = ["aliases", "find_caller", "localized"]

_COMPOSE_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

_Identity = tuple[int, int]
"""A file's device and inode."""


def find_caller(environ: Mapping[str, str], engine: str, *, is_program: bool = False) -> Caller:
    """Return where this process stands.

    Args:
        environ: its environment variables.
        engine: the endpoint, for messages.
        is_program: whether it uses the library.
    """
    cwd = _working_directory()
    return Caller(
        cwd=cwd,
        environ=environ,
        uid=os.getuid(),
        gid=os.getgid(),
        engine=engine,
        compose_folder=_compose_folder(cwd),
        project=environ.get("COMPOSE_PROJECT_NAME", ""),
        is_program=is_program,
    )


def localized(containers: Sequence[Container], cwd: str) -> list[Container]:
    """Name the containers' folders as ``cwd`` and its parents are named, where they are these."""
    names: dict[_Identity, str] = {}
    for folder in _upwards(cwd):
        if (identity := _identity(folder)) is not None:
            names[identity] = folder
    return [
        replace(
            container,
            folder=_named(container.folder, names),
            mounts=[Mount(_named(mount.source, names), mount.target) for mount in container.mounts],
        )
        for container in containers
    ]


def aliases(mounts: Sequence[Mount], words: Sequence[str]) -> list[Mount]:
    """Return the mounts, and their sources by other names that are in the words.

    A word may lead to a mount's source through a symbolic link.
    """
    sources = {_identity(host_path(mount.source)): mount.target for mount in reversed(mounts)}
    sources.pop(None, None)
    found = []
    for word in words:
        path = "/" + word.partition("/")[2]
        for folder in _upwards(os.path.normpath(path)) if sources else ():
            identity = _identity(folder)
            if identity in sources and ".." not in path.split("/"):
                found.append(Mount(folder, sources[identity]))
                break
    return [*mounts, *found]


def _named(path: str, names: Mapping[_Identity, str]) -> str:
    # As it is first: a Linux machine may have a /host_mnt of its own.
    for candidate in dict.fromkeys((path, host_path(path))) if path else ():
        identity = _identity(candidate)
        if identity is not None and identity in names:
            return names[identity]
    return path


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)  # noqa: PTH116 # a Path would cost more than the call
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 # importing pathlib takes 9 ms
    except OSError:  # it was removed, or its path cannot be found out
        return ""


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and its parents, the root directory last."""
    while folder:
        yield folder
        parent = os.path.dirname(folder)  # noqa: PTH120 # see above
        folder = parent if parent != folder else ""


def _compose_folder(cwd: str) -> str | None:
    for folder in _upwards(cwd):
        # Path.is_file would raise for a folder that may not be searched, or has too long a path.
        if any(os.path.isfile(f"{folder}/{name}") for name in _COMPOSE_FILES):  # noqa: PTH113 # see above
            return folder
    return None
