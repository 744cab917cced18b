"""Fetches the files that a language server names from its container, for an editor to open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from rind.base.records import replace
from rind.decide.library import LARGEST, MOST_AT_ONCE, fetch_argv, fetched, named
from rind.decide.messages import MessageStream
from rind.decide.path_map import PathMap
from rind.errors import RindError
from rind.execution.library_output import LibraryOutput
from rind.execution.stdio import DEVNULL
from rind.execution.tasks import Tasks
from rind.files.copies import open_copies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rind.execution.local import Local
    from rind.files.copies import Copies
    from rind.model import ExecConfig
    from rind.target import Target

__all__ = ["LibraryFiles", "with_library"]

PATIENCE: Final = 2.0
"""Seconds for which a message waits for its files; then it passes without them."""
GIVEN_UP_AFTER: Final = 10.0
"""Seconds after which a slow fetch is ended. Until then, it goes on for the next message."""
CHECKED_FOR: Final = 5.0
"""Seconds for which a copy counts as up to date, and a missing file as missing."""
MOST_CHECKED: Final = 4096
"""Paths to remember for that."""


def with_library(
    target: Target, config: ExecConfig, local: Local, env: Mapping[str, str]
) -> ExecConfig:
    """Make our side of a language server fetch files; return the server's configuration for that.

    Unchanged if there is no place for copies.
    """
    cache, container = _cache(env), target.container
    copies = open_copies(cache, container.name, container.id) if cache else None
    if copies is None:
        return config
    paths = PathMap(config.mapped, copies.paths)
    library = LibraryFiles(target, config.user, copies, paths)
    local.output.close()  # its descriptors; the inherited ones stay open
    local.output = LibraryOutput(MessageStream(paths, "lsp", outward=True), library)
    return replace(config, library=str(copies.folder))


def _cache(env: Mapping[str, str]) -> Path | None:
    """Return the folder of the user's caches (XDG Base Directory Specification)."""
    cache, home = env.get("XDG_CACHE_HOME", ""), env.get("HOME", "")
    if cache.startswith("/"):
        return Path(cache)
    return Path(home, ".cache") if Path(home).is_absolute() and Path(home).is_dir() else None


class LibraryFiles:
    """The files that one server names.

    Args:
        target: its container.
        user: the server's user, as whom the files are read.
        copies: where they are kept.
        paths: the mounts, whose files are on this machine anyway.
    """

    def __init__(self, target: Target, user: str, copies: Copies, paths: PathMap) -> None:
        self._target = target
        self._user = user
        self._copies = copies
        self._paths = paths
        self._checked: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._tasks = Tasks()

    def wanted(self, message: object) -> list[str]:
        """Return the files that a message names and that were not checked for some seconds."""
        since = asyncio.get_running_loop().time() - CHECKED_FOR
        return [
            path for path in named(message, self._paths) if self._checked.get(path, since) <= since
        ]

    async def fetch(self, paths: Sequence[str]) -> None:
        """Fetch files that are missing here or have changed there, within PATIENCE seconds."""
        now = asyncio.get_running_loop().time()
        if len(self._checked) > MOST_CHECKED:
            self._checked.clear()
        self._checked |= dict.fromkeys(paths, now)
        await asyncio.wait({self._tasks.spawn(self._fetch(paths))}, timeout=PATIENCE)

    async def _fetch(self, paths: Sequence[str]) -> None:
        async with self._turn:
            asked = {path: self._copies.stamp(path) for path in paths}
            with suppress(RindError):
                done = await self._target.run(
                    fetch_argv(asked),
                    stdin=DEVNULL,
                    stderr=DEVNULL,
                    user=self._user,
                    workdir="/",
                    pre_step=False,
                    map_paths=False,
                    ssh_agent=False,
                    timeout=GIVEN_UP_AFTER,
                    capture_limit=MOST_AT_ONCE + LARGEST,
                )
                for file in fetched(asked, done.stdout or b""):
                    if not file.is_there:
                        self._copies.remove(file.path)
                    elif file.content is not None:
                        self._copies.store(file.path, file.content, file.modified)
                self._copies.trim()
