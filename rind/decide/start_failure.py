"""Start failures: one error and one wording for all engines and shells. Pure."""

from __future__ import annotations

import re

from rind.base.quoting import quoted
from rind.decide.pre_step import NOT_STARTED
from rind.errors import ExitStatus, StartError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["LONGEST", "not_started", "start_failure", "tells_failure", "told_failure"]

# What the engine puts before and after the runtime's own words (seen on 20.10, 26.1 and 28.5, and
# on Podman 4.3 and 5.8).
_NOISE: Final = re.compile(
    r"OCI runtime exec failed: |exec failed: |unable to start container process: "
    r"|container_linux\.go:\d+: starting container process caused: |: unknown\Z"
    r"|\AError: (?:runc|crun): |: OCI (?:runtime|permission) [^\n]*|\nError: read unixpacket .*",
    re.DOTALL,
)
_PODMANS: Final = re.compile(
    r"Error: [^\n]*\bOCI (?:runtime|permission)|Error: (?:runc|crun): exec "
)
"""How Podman begins to say that a command was not started."""
LONGEST: Final = 1000
"""Characters of its message that are repeated."""

_ID: Final = re.compile(r"\b[0-9a-f]{64}\b")
"""A container's ID, in what the engine says of one that is paused or restarting."""

_NOT_FOUND: Final = re.compile(
    r"executable file not found|no such file or directory|not a directory", re.IGNORECASE
)
_NOT_EXECUTABLE: Final = re.compile(
    r"permission denied|exec format error|is a directory|argument list too long", re.IGNORECASE
)
_WORD: Final = re.compile(r'exec: "(?P<word>.*?)": (?:stat .*: )?(?P<why>.*)', re.DOTALL)
_WORDS: Final = {
    "executable file not found in $PATH": "not found in the PATH of {}, where no pre-step ran",
    "no such file or directory": "not found",
}
_FOLDER: Final = re.compile(
    r'chdir to cwd \("(?P<folder>.*)"\) set in config\.json failed: (?P<why>.*)', re.DOTALL
)
_AROUND: Final = re.compile(
    r"unable to find user|unable to find group|no matching entries|chdir to cwd", re.IGNORECASE
)


def start_failure(text: str, container: str = "the container") -> StartError:
    """Return the error for an engine's message that a command did not start in a container.

    The exit code that comes with it is no help: 126 before Engine 28.0 and 127 from there on,
    whatever the reason.
    """
    said = _said(text, container)
    if _AROUND.search(said):
        status = ExitStatus.FAILED
    elif _NOT_FOUND.search(said):
        status = ExitStatus.NOT_FOUND
    elif _NOT_EXECUTABLE.search(said):
        status = ExitStatus.NOT_EXECUTABLE
    else:
        status = ExitStatus.FAILED
        # Of the container's own state, such as "cannot exec in a stopped state".
        said += "" if container in said else f" ({container})"
    return StartError(f"cannot start the command: {_in_words(said, container)}", status)


def not_started(text: str) -> tuple[str, bool]:
    """Return why a shell did not start, and whether another attempt would fail in the same way."""
    status = start_failure(text).exit_status
    is_final = status in {ExitStatus.NOT_FOUND, ExitStatus.NOT_EXECUTABLE}
    return _in_words(_said(text, "the container"), "the container"), is_final


def tells_failure(text: str) -> bool:
    """Whether an output is Podman's message that a command did not start."""
    return _PODMANS.match(text) is not None


def told_failure(last_said: bytes, exit_code: int) -> StartError | None:
    """Return the error that the wrapper's last line reports; None if it reports none."""
    start = last_said.rfind(NOT_STARTED.encode())
    if start < 0 or exit_code not in {ExitStatus.NOT_EXECUTABLE, ExitStatus.NOT_FOUND}:
        return None
    said, end, more = last_said[start:].decode(errors="replace").partition("\n")
    return (
        None
        if more or not end
        else StartError(said.strip().removeprefix("rind: "), exit_code, told=True)
    )


def _said(text: str, container: str) -> str:
    said = _ID.sub(container, _NOISE.sub("", text.strip()).strip()[:LONGEST])
    return said or "the engine does not say why"


def _in_words(said: str, container: str) -> str:
    """Return a runtime's words about a program or a directory as a shell would put them."""
    if match := _WORD.fullmatch(said):
        why = _WORDS[match["why"]].format(container) if match["why"] in _WORDS else match["why"]
        return f"{quoted(match['word'])}: {why}"
    if match := _FOLDER.fullmatch(said):
        folder, why = quoted(match["folder"]), match["why"]
        missing = why == "no such file or directory"
        return f"there is no directory {folder}" if missing else f"the directory {folder}: {why}"
    return said
