"""The entry point of the command ``rind``, and its exit."""

from __future__ import annotations

import _signal  # importing signal takes 2 ms: until then, Ctrl-C prints a traceback
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]

_FAILED = 125
"""The exit status if nothing could be executed, as in :mod:`rind.errors`."""


def main() -> NoReturn:
    """Run the command ``rind``, and exit.

    It skips the interpreter's shutdown, which takes an eighth of the time of ``rind true``: by
    then, all output is written, and no child is left. If Python shows ResourceWarnings, it exits
    in full, so that every object is destroyed.
    """
    if sys.platform == "win32":
        sys.stderr.write("rind: Windows is not supported: install Rind in WSL, and use it there\n")
        sys.exit(_FAILED)
    # Until there is something to clean up, SIGINT has its default action: no traceback.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    try:
        from rind.cli.program import run  # an interrupt may come meanwhile
    except (ImportError, MemoryError, OSError) as exc:
        sys.stderr.write(f"rind: cannot start: {str(exc) or 'out of memory'}\n")
        sys.stderr.flush()
        os._exit(_FAILED)

    status = run()
    if sys.warnoptions:
        sys.exit(status)
    os._exit(status)
