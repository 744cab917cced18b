"""What the commands of one client share."""

from __future__ import annotations

import asyncio
from typing import Final

from rind.reaper.tree import Trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from rind.engine.engine import Engine

    class Closable(Protocol):
        """An open command."""

        async def aclose(self) -> None:
            """End it, unless it is to run on."""


__all__ = ["BOUND", "Session"]

BOUND: Final = 10.0
"""Seconds to wait for commands that are being started."""


class Session:
    """An engine, with the commands that are open on it.

    Args:
        engine: must stay open for as long as the commands are.

    Attributes:
        trees: the commands' process trees.
        opening: the requests to start a command that are under way.
        open: the commands that are in use.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.trees = Trees(engine)
        self.opening: set[asyncio.Task[Closable]] = set()
        self.open: set[Closable] = set()

    async def end_commands(self) -> None:
        """Close all open commands, including those that are starting. Bounded in time."""
        if self.opening:
            await asyncio.wait(self.opening, timeout=BOUND)
        await asyncio.gather(*(command.aclose() for command in self.open), return_exceptions=True)
