"""Runs blocking functions in a thread, such as file operations, to keep the event loop free."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from rind.execution.tasks import shielded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, Self, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["Worker"]


class Worker:
    """A thread that runs one function at a time. Use it as an async context manager.

    A cancelled :meth:`run` raises at once, while its function runs on. Leaving the context waits
    for that function, runs the clean-up in the thread, and ends the thread, even if cancelled.

    Attributes:
        clean_up: closed in the thread, last. Functions that run there may enter contexts in it.
    """

    def __init__(self) -> None:
        self.clean_up = ExitStack()
        self._thread = ThreadPoolExecutor(1, "rind-files")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            await shielded(loop.run_in_executor(self._thread, self.clean_up.close))
        finally:
            self._thread.shutdown()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the thread, after earlier ones have returned; return its result.

        Raises:
            Exception: the function raised it. It must not be StopIteration.
        """
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
