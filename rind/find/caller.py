"""Where the caller stands, and which folders of this machine a container's labels and mounts name.

A container's paths come from elsewhere: any image can name any path. So they are only looked up,
with a few system calls each, and only compared with the folders that the caller stands in. A path
that leads to one of these, also through symbolic links, gets its name. The one file that is read
beside such a path is ``.git``, which says of what repository a checkout is.
"""

from __future__ import annotations

import os
import stat

from rind.base.records import replace
from rind.decide.workdir import below, host_path, parts
from rind.model import Caller, Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from rind.model import Checkout, Container

__all__ = ["aliases", "find_caller", "localized", "placed"]

_COMPOSE_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

_DEV_FILES: Final = (".devcontainer", ".devcontainer.json")
"""Where a dev container is configured (containers.dev, "devcontainer.json")."""

_MOST_NAMES: Final = 4
"""Names at the end of a Compose file's path that are looked for in another checkout."""

_MOST_GIT_FILE: Final = 4096 + len("gitdir: \n")
"""Bytes of a worktree's ``.git`` file (git, gitrepository-layout)."""

_Identity = tuple[int, int]
"""A file's device and inode."""


def find_caller(environ: Mapping[str, str], engine: str, *, is_program: bool = False) -> Caller:
    """Return where this process stands.

    Args:
        environ: its environment variables.
        engine: the endpoint, for messages.
        is_program: whether it uses the library.
    """
    cwd = _working_directory(environ)
    root, repository = _checkout(cwd)
    return Caller(
        cwd=cwd,
        environ=environ,
        uid=os.getuid(),
        gid=os.getgid(),
        engine=engine,
        compose_folder=_folder_with(_COMPOSE_FILES, cwd),
        dev_folder=_folder_with(_DEV_FILES, cwd),
        checkout=root or cwd,
        repository=repository,
        project=environ.get("COMPOSE_PROJECT_NAME") or None,
        compose_file=_compose_file(environ, cwd, root),
        is_program=is_program,
    )


def placed(containers: Sequence[Container], caller: Caller) -> list[Container]:
    """Do what :func:`localized` does, and find out of which checkouts the containers are.

    Of two worktrees side by side, or of one in the other, no answer of the engine's says that they
    are of one repository.
    """
    root = _identity(caller.checkout)
    own = caller.compose_file
    ours = None if own is None else _identity(own)
    found = []
    for container in localized(containers, caller.cwd):
        files = [
            own if own is not None and ours is not None and ours == _identity(file) else file
            for file in container.config_files
        ]
        checkout = _side(container, caller, root) if root is not None else ""
        found.append(replace(container, config_files=files, checkout=checkout))
    return found


def _side(container: Container, caller: Caller, root: _Identity) -> Checkout:
    """Return whether a container is of the caller's checkout, whose root is this, or of another."""
    named = [folder for folder in (container.folder, container.local_folder) if folder]
    is_of_another = False
    for folder in container.folders:
        if below(caller.cwd, folder) is not None and below(folder, caller.checkout) is not None:
            return "ours"  # the caller stands in it
        # One look spares the many that a long path to nowhere would cost.
        is_there = _identity(folder) is not None
        theirs, repository = _checkout(os.path.realpath(folder)) if is_there else ("", None)
        if theirs and _identity(theirs) == root:
            return "ours" if folder in named else ""
        if caller.repository is not None and repository == caller.repository:
            is_of_another = True
        elif caller.repository is None and not theirs and folder in named:
            # Without git, the folder right below the caller's belongs to it.
            parent = os.path.dirname(folder)
            if _identity(parent) == root:
                return "ours"
    return "another" if is_of_another or _has_a_twin(container, caller) else ""


def _has_a_twin(container: Container, caller: Caller) -> bool:
    """Whether the caller's checkout has a Compose file where another one has the container's.

    As a second clone has, whose own stack was not started; that the container's folder is gone, or
    is not seen from here, makes no difference.
    """
    for file in container.config_files[:1]:
        names = parts(file)[-_MOST_NAMES:]
        for first in range(len(names)):
            twin = "/".join([caller.checkout, *names[first:]])
            identity = _identity(twin)
            if identity is not None and identity != _identity(file):
                return True
    return False


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
            local_folder=_named(container.local_folder, names),
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
    """Return a path by its name among ``names``, or else by one that it has on this machine."""
    existing = ""
    # As it is first: a Linux machine may have a /host_mnt of its own.
    for candidate in dict.fromkeys((path, host_path(path))) if path else ():
        identity = _identity(candidate)
        if identity is not None and identity in names:
            return names[identity]
        if identity is not None:
            existing = existing or candidate
    return existing or path


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)  # a Path would cost more than the call
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _working_directory(environ: Mapping[str, str]) -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed, or its path cannot be found out
        # Where it was still says which checkout the caller stands in.
        path = environ.get("PWD", "")
        return os.path.normpath(path) if path.startswith("/") else ""


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and its parents, the root directory last."""
    while folder:
        yield folder
        parent = os.path.dirname(folder)
        folder = parent if parent != folder else ""


def _folder_with(files: Sequence[str], cwd: str) -> str | None:
    """Return the nearest directory, from ``cwd`` up, that has one of the files."""
    for folder in _upwards(cwd):
        # Path.exists would raise for a folder that may not be searched, or has too long a path.
        if any(os.path.exists(f"{folder}/{name}") for name in files):
            return folder
    return None


def _compose_file(environ: Mapping[str, str], cwd: str, root: str | None) -> str | None:
    """Return the first file of ``COMPOSE_FILE``, as Compose finds it or from a folder above.

    direnv and the like set a relative path for all folders of a project. ``root`` is that of the
    checkout, above which there is another project.
    """
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    first = environ.get("COMPOSE_FILE", "").split(separator)[0]
    for folder in _upwards(cwd) if first else ():
        path = os.path.normpath(os.path.join(folder, first))
        if os.path.isfile(path):
            return path
        if folder == root:
            break
    return None


def _checkout(folder: str) -> tuple[str, _Identity] | tuple[None, None]:
    """Return the root of the git checkout that has a folder, and its repository's identity.

    Both are None outside of any checkout.
    """
    for parent in _upwards(folder):
        git = f"{parent}/.git"
        identity = _identity(git)
        if identity is not None:
            return parent, _repository(git, parent) or identity
    return None, None


def _repository(git: str, root: str) -> _Identity | None:
    """Return the identity of the repository that a worktree's ``.git`` file names.

    None where ``git`` is the repository itself.
    """
    try:
        # What lies there may be a FIFO, which must not be waited for.
        fd = os.open(git, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        text = os.fsdecode(os.read(fd, _MOST_GIT_FILE)) if is_file else ""
    except OSError:
        return None
    finally:
        os.close(fd)
    if not text.startswith("gitdir: "):
        return None
    path = text.removeprefix("gitdir: ").rstrip("\n")
    # Of a worktree, as .git/worktrees/NAME; of a submodule it is a repository of its own.
    common, middle, name = path.rpartition("/worktrees/")
    is_worktree = middle and "/" not in name
    return _identity(os.path.join(root, common if is_worktree else path))
