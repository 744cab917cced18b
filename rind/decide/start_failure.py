"""Start failures: one error type and one wording for all engines and shells. Pure."""

from __future__ import annotations

import re

from rind.base.light import pattern
from rind.base.quoting import quoted
from rind.decide.pre_step import NOT_STARTED
from rind.errors import ExitStatus, StartError
from rind.model import FULL_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["LONGEST", "failure_in_output", "is_podman_failure", "not_started", "start_failure"]

# The engine's text around the runtime's own message (seen on 20.10, 26.1 and 28.5, and on Podman
# 4.3 and 5.8).
_NOISE: Final = pattern(
    r"OCI runtime exec failed: |exec failed: |unable to start container process: "
    r"|container_linux\.go:\d+: starting container process caused: |: unknown\Z"
    r"|\AError: (?:runc|crun): |: OCI (?:runtime|permission) [^\n]*|\nError: read unixpacket .*",
    re.DOTALL,
)
_PODMAN_FAILURE: Final = pattern(
    r"Error: [^\n]*\bOCI (?:runtime|permission)|Error: (?:runc|crun): exec "
)
"""The beginning of Podman's message that a command was not started."""
LONGEST: Final = 1000
"""Characters of an engine's message that an error quotes."""

_ID: Final = pattern(rf"\b{FULL_ID}\b")
"""A container's ID, which the engine names in a message about a paused or restarting one."""

_NOT_FOUND: Final = pattern(
    r"executable file not found|no such file or directory|not a directory", re.IGNORECASE
)
_NOT_EXECUTABLE: Final = pattern(
    r"permission denied|exec format error|is a directory|argument list too long", re.IGNORECASE
)
_PROGRAM: Final = pattern(r'exec: "(?P<word>.*?)": (?:stat .*: )?(?P<why>.*)', re.DOTALL)
_REASONS: Final = {
    "executable file not found in $PATH": "not found in the PATH of {}, where no pre-step ran",
    "no such file or directory": "not found",
}
_FOLDER: Final = pattern(
    r'chdir to cwd \("(?P<folder>.*)"\) set in config\.json failed: (?P<why>.*)', re.DOTALL
)
_NOT_THE_COMMAND: Final = pattern(
    r"unable to find user|unable to find group|no matching entries|chdir to cwd", re.IGNORECASE
)
"""Failures of the user, the group or the working directory."""
_PROCESS_GONE: Final = pattern(r"/proc/\d+/ns/|/sys/fs/cgroup/", re.IGNORECASE)
"""Files of a container's main process, which is missing from a container that is ending."""


def start_failure(text: str, container: str = "the container") -> StartError:
    """Return the error for an engine's message that a command did not start in a container.

    The message decides the exit status. The engine's exit code does not depend on the reason: it is
    126 before Engine 28.0, and 127 since.
    """
    message = _cleaned(text, container)
    status, is_final = _verdict(message)
    if not is_final:
        # It is about the container's state, such as "cannot exec in a stopped state".
        message += "" if container in message else f" ({container})"
    what = f"cannot start the command: {_reworded(message, container)}"
    return StartError(what, status, is_final=is_final)


def _verdict(message: str) -> tuple[ExitStatus, bool]:
    """Return the exit status, and whether a further attempt would fail too."""
    # A missing user or directory comes first: its message may also match the patterns below.
    if _NOT_THE_COMMAND.search(message):
        return ExitStatus.FAILED, True
    if not _PROCESS_GONE.search(message) or _PROGRAM.fullmatch(message):
        if _NOT_FOUND.search(message):
            return ExitStatus.NOT_FOUND, True
        if _NOT_EXECUTABLE.search(message):
            return ExitStatus.NOT_EXECUTABLE, True
    return ExitStatus.FAILED, False


def not_started(text: str) -> tuple[str, bool]:
    """Return why a shell did not start, and whether every further attempt would fail too."""
    status = start_failure(text).exit_status
    is_final = status in {ExitStatus.NOT_FOUND, ExitStatus.NOT_EXECUTABLE}
    return _reworded(_cleaned(text, "the container"), "the container"), is_final


def is_podman_failure(text: str) -> bool:
    """Whether an output is Podman's message that a command did not start."""
    return _PODMAN_FAILURE.match(text) is not None


def failure_in_output(last_output: bytes, exit_code: int) -> StartError | None:
    """Return the error that the wrapper's last line reports; None if there is no such line."""
    start = last_output.rfind(NOT_STARTED.encode())
    if start < 0 or exit_code not in {ExitStatus.NOT_EXECUTABLE, ExitStatus.NOT_FOUND}:
        return None
    message, end, more = last_output[start:].decode(errors="replace").partition("\n")
    # The wrapper exits right after this line, so anything after it shows that a command wrote it.
    return (
        None
        if more or not end
        else StartError(message.strip().removeprefix("rind: "), exit_code, printed=True)
    )


def _cleaned(text: str, container: str) -> str:
    """Return the runtime's own message, with the container's name instead of its ID."""
    message = _ID.sub(container, _NOISE.sub("", text.strip()).strip()[:LONGEST])
    return message or "the engine does not say why"


def _reworded(message: str, container: str) -> str:
    """Return a runtime's message about a program or a directory, in the wording of a shell."""
    if match := _PROGRAM.fullmatch(message):
        why = _REASONS[match["why"]].format(container) if match["why"] in _REASONS else match["why"]
        return f"{quoted(match['word'])}: {why}"
    if match := _FOLDER.fullmatch(message):
        folder, why = quoted(match["folder"]), match["why"]
        missing = why == "no such file or directory"
        return f"there is no directory {folder}" if missing else f"the directory {folder}: {why}"
    return message
