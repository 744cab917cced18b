"""Time limits: a moment until which something may take."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Final

__all__ = ["Deadline"]

_NEVER: Final = float("inf")


class Deadline:
    """The end of a time limit, by :func:`time.monotonic`, as the clocks of event loops are.

    It is made where the limit begins, and handed down to everything that the limit is for: nothing
    below is granted the time once more.

    Args:
        seconds: from now on; None for no limit.

    Attributes:
        seconds: as it was given, for messages; 0 without a limit.
    """

    __slots__ = ("_at", "seconds")

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds or 0.0
        self._at = _NEVER if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """The seconds that are left, at least 0; None without a limit."""
        return None if self._at == _NEVER else max(0.0, self._at - time.monotonic())

    def restarted(self) -> Deadline:
        """Return a deadline after the same time, from now on."""
        return Deadline(None if self._at == _NEVER else self.seconds)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time that the context takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._at += time.monotonic() - begun

    @asynccontextmanager
    async def limit(self, timed_out: Callable[[], Exception]) -> AsyncIterator[None]:
        """Cancel what the context does once the time is over, and raise ``timed_out()`` then."""
        if self._at == _NEVER:
            yield
            return
        import asyncio

        if self.left == 0:
            raise timed_out()  # work that never waits would end before a cancellation
        try:
            async with asyncio.timeout(self.left) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise timed_out() from None
