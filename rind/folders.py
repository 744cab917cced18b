"""Which folders of this machine a container's are: what its labels and mounts name, found here.

A container's paths are from elsewhere: anybody's image can name any. So they are looked up only
where something depends on it, with one system call each, and only compared with the folders that
we stand in. A path that leads into one of these, through symbolic links too, gets its name.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rind.selection import Container
from rind.workdir import Mount, host_path

__all__ = ["localized"]

_Identity = tuple[int, int]
"""A file's device and inode."""


def localized(containers: Sequence[Container], cwd: PurePosixPath) -> list[Container]:
    """Name the containers' folders as ``cwd`` and its parents are named, where they are these."""
    names: dict[_Identity, str] = {}
    for folder in (cwd, *cwd.parents):
        if (identity := _identity(str(folder))) is not None:
            names[identity] = str(folder)
    return [
        replace(
            container,
            folder=_named(container.folder, names),
            mounts=[Mount(_named(it.source, names), it.target) for it in container.mounts],
        )
        for container in containers
    ]


def _named(path: str, names: Mapping[_Identity, str]) -> str:
    # As it is first: a Linux machine may have a /host_mnt of its own.
    for candidate in dict.fromkeys((path, str(host_path(path)))) if path else ():
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
