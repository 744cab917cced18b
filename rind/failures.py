"""What engines say of a command that did not start, made the same for all of them. Pure."""

import re
from typing import Final

from rind.errors import ExitStatus, StartError

__all__ = ["LONGEST", "start_failure"]

# What the engine puts before and after the runtime's own words (seen on 20.10, 26.1 and 28.5).
_NOISE: Final = re.compile(
    r"OCI runtime exec failed: |exec failed: |unable to start container process: "
    r"|container_linux\.go:\d+: starting container process caused: |: unknown\Z"
)
LONGEST: Final = 1000
"""Characters of its words that are repeated."""

_NOT_FOUND: Final = re.compile(
    r"executable file not found|no such file or directory|not a directory", re.IGNORECASE
)
_NOT_EXECUTABLE: Final = re.compile(
    r"permission denied|exec format error|is a directory|argument list too long", re.IGNORECASE
)
_AROUND: Final = re.compile(
    r"unable to find user|unable to find group|no matching entries|chdir to cwd", re.IGNORECASE
)


def start_failure(text: str) -> StartError:
    """Make one error of what an engine says when a command did not start.

    The exit code that comes with it is no help: 126 before Engine 28.0 and 127 from there on,
    whatever the reason.
    """
    said = _NOISE.sub("", text.strip()).strip()[:LONGEST] or "the engine does not say why"
    if _AROUND.search(said):
        status = ExitStatus.FAILED
    elif _NOT_FOUND.search(said):
        status = ExitStatus.NOT_FOUND
    elif _NOT_EXECUTABLE.search(said):
        status = ExitStatus.NOT_EXECUTABLE
    else:
        status = ExitStatus.FAILED
    return StartError(f"cannot start the command: {said}", status)
