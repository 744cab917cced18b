"""The command ``rind``: its entry point and its exit."""

from __future__ import annotations

import _signal  # the public module takes 2 ms, in which Ctrl-C would be a traceback
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]

_FAILED = 125
"""The exit status where nothing could be executed, as in :mod:`rind.errors`."""


def main() -> NoReturn:
    """Run the command ``rind``, and exit.

    It exits without destroying every object, which would take an eighth of the time of
    ``rind true``. By then all output is written, and no child is left. If Python shows warnings, it
    exits in full.
    """
    # Until there is something to clean up, Ctrl-C ends Rind as it ends a C program: no traceback.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    try:
        from rind.cli.program import run  # noqa: PLC0415 # an interrupt may come meanwhile
    except (ImportError, MemoryError, OSError) as exc:
        sys.stderr.write(f"rind: cannot start: {str(exc) or 'out of memory'}\n")
        sys.stderr.flush()
        os._exit(_FAILED)

    status = run()
    if sys.warnoptions:
        sys.exit(status)
    os._exit(status)
