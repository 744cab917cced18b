"""The command ``rind``: where it begins, and how it ends."""

import os
import signal
import sys
from typing import NoReturn

__all__ = ["program"]


def program() -> NoReturn:
    """Be the command ``rind``.

    It ends without giving back every object first, an eighth of the time of ``rind true`` and the
    kernel's business anyway: all that was written has been, and no child is left. Where Python
    is to warn of what was not closed, it ends in full.
    """
    # Until there is something to end, Ctrl-C ends us as it ends any program: with no traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rind.cli.program import main  # noqa: PLC0415 # an interrupt may come meanwhile

    status = main()
    if sys.warnoptions:
        sys.exit(status)
    os._exit(status)
