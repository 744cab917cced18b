"""The parts of the standard library that a start needs, without what makes them slow to load.

``signal`` and ``socket`` are the extension modules below the public ones. The public ones make
enums of all their numbers, in 3 ms, and ``socket`` loads ``selectors``; the functions and numbers
that Rind uses are the same ones. ``pattern`` is :func:`re.compile`, at the first use of the result:
an ordinary run uses few of its regular expressions. ``running_loop`` loads no asyncio to find that
no event loop runs.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signal  # noqa: PLC0414 # it is for others
    import socket as socket  # noqa: PLC0414 # as above
    from re import compile as pattern
else:
    import _signal as signal
    import _socket as socket
    import re

    class pattern:  # noqa: N801 # it stands for a function
        """A regular expression, compiled when a method of it is first used."""

        def __init__(self, text, flags=0):
            self._arguments = text, flags

        def __getattr__(self, name):
            compiled = re.compile(*self._arguments)
            for method in ("findall", "finditer", "fullmatch", "match", "search", "split", "sub"):
                setattr(self, method, getattr(compiled, method))
            return getattr(compiled, name)


__all__ = ["pattern", "running_loop", "signal", "socket"]


def running_loop() -> object | None:
    """Return the event loop that runs in this thread; None if none does."""
    asyncio = sys.modules.get("asyncio")
    return getattr(asyncio, "_get_running_loop", lambda: None)()
