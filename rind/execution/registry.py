"""The commands of a client that are open, so that closing it can end them."""

import asyncio
from typing import Final, Protocol

__all__ = ["Closable", "Registry"]

BOUND: Final = 10.0
"""Seconds to wait for commands that are being started."""


class Closable(Protocol):
    """An open command."""

    async def aclose(self) -> None:
        """End it, unless it is to run on."""


class Registry:
    """What :meth:`aclose` closes.

    Attributes:
        opening: the requests to start a command that are under way.
        open: the commands that are in use.
    """

    def __init__(self) -> None:
        self.opening: set[asyncio.Task[Closable]] = set()
        self.open: set[Closable] = set()

    async def aclose(self) -> None:
        """Close all open commands, including those that are starting. Bounded in time."""
        if self.opening:
            await asyncio.wait(self.opening, timeout=BOUND)
        await asyncio.gather(*(command.aclose() for command in self.open), return_exceptions=True)
