"""Parses an engine's answers: bytes in, our own types out. Pure.

Answers are not trusted: any server may listen at an engine's address. The size of an answer and the
number of its values are limited, as a small answer can become a lot of memory. Each part that is
used has its type and its range checked. A violation raises :class:`WrongAnswer`.

A list of containers skips invalid ones, which must not hide the others. If all are invalid, it
raises.
"""

from __future__ import annotations

import json
import re

from rind.base.light import pattern
from rind.base.quoting import printable
from rind.decide.workdir import named_source
from rind.endpoint.endpoint import parse_api_version
from rind.model import (
    COMPOSE,
    DEV_FOLDER,
    NAME,
    Container,
    Defaults,
    EngineInfo,
    ExecState,
    Mount,
    is_full_id,
    is_path,
)
from rind.transport.carrier import WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final, TypeVar

__all__ = [
    "labels_in",
    "listed",
    "number",
    "object_in",
    "read_api_version",
    "read_container_id",
    "read_containers",
    "read_date",
    "read_defaults",
    "read_error",
    "read_event_actions",
    "read_exec_id",
    "read_exec_state",
    "read_has_own_pid_namespace",
    "read_info",
    "read_processes",
    "read_version",
    "text_in",
]

if TYPE_CHECKING:
    T = TypeVar("T")

MOST_VALUES: Final = 250_000
"""Most values in an answer, counted by commas and brackets; a container has about 150."""

LONGEST_TEXT: Final = 1000
"""Most characters kept of a text that is only displayed."""

MOST_FILES: Final = 16
"""Most files of a Compose project that are considered."""

MOST_PID: Final = 2**31

_PID: Final = pattern("[0-9]{1,10}")
_SHORT_ID: Final = 12
"""Digits of a short ID, as docker prints it."""


def read_api_version(header: str) -> tuple[int, int]:
    """Read an API version such as ``1.51``, from the ``Api-Version`` of the answer to a ping."""
    version = parse_api_version(header)
    if version is None:
        raise WrongAnswer("no Api-Version in its answer")
    return version


def read_containers(data: bytes) -> list[Container]:
    """Read ``GET /containers/json``."""
    found, wrong = [], None
    for item in _typed(_parsed(data), list, "the list of containers"):
        try:
            found.append(_container(item))
        except WrongAnswer as exc:
            wrong = exc
    if wrong is not None and not found:
        raise wrong
    return found


def read_container_id(data: bytes) -> str:
    """Read the ID in ``GET /containers/{id}/json``."""
    return _id(_object(data, "the container"))


def read_defaults(data: bytes, *, without: str = "") -> Defaults:
    """Read a container's own variables, directory and user in ``GET /containers/{id}/json``.

    Args:
        data: the answer.
        without: a variable to ignore, ``NAME=value``, that is not the container's own.
    """
    config = _typed(_object(data, "the container").get("Config"), dict, "Config")
    variables = _typed(config.get("Env") or [], list, "Env")
    own = [_typed(variable, str, "Env") for variable in variables if variable != without]
    named = {name: value for name, _, value in (variable.partition("=") for variable in own)}
    return Defaults(named, text_in(config, "WorkingDir", ""), text_in(config, "User", ""))


def read_has_own_pid_namespace(data: bytes) -> bool:
    """Whether a container has its own PID namespace, in ``GET /containers/{id}/json``."""
    config = object_in(_object(data, "the container"), "HostConfig")
    return text_in(config, "PidMode", "") in {"", "private"}


def read_processes(data: bytes) -> list[tuple[int, int]]:
    """Read ``GET /containers/{id}/top`` with two columns of numbers, in the engine's order.

    Skips processes that have just ended, for which Podman has "?" instead of a number.
    """
    rows = _typed(_object(data, "the processes").get("Processes") or [], list, "Processes")
    return [_process(row) for row in rows if "?" not in _typed(row, list, "a process")]


def read_version(data: bytes) -> str:
    """Read the engine's version in ``GET /version``."""
    return text_in(_object(data, "the version"), "Version")


def read_info(data: bytes) -> EngineInfo:
    """Read an engine's description of itself in ``GET /info``."""
    info = _object(data, "the engine")
    options = _typed(info.get("SecurityOptions") or [], list, "SecurityOptions")
    return EngineInfo(
        version=text_in(info, "ServerVersion"),
        os=text_in(info, "OSType", "linux"),
        cgroups=text_in(info, "CgroupVersion", ""),
        is_rootless="name=rootless" in options,
        node_id=text_in(object_in(info, "Swarm"), "NodeID", ""),
    )


def read_event_actions(data: bytes) -> list[str]:
    """Read the names of the events in ``GET /events``, which has one JSON object per line."""
    lines = data.splitlines()
    return [text_in(_object(line, "an event"), "Action") for line in lines if line.strip()]


def read_date(header: str) -> float | None:
    """Convert a ``Date`` header to seconds since 1970; None if it is missing or invalid."""
    from email.utils import parsedate_to_datetime  # a run that goes well needs none

    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None


def read_exec_id(data: bytes) -> str:
    """Read the answer to ``POST /containers/{id}/exec``."""
    return _id(_object(data, "the exec instance"))


def read_exec_state(data: bytes, *, is_podman: bool = False) -> ExecState:
    """Read ``GET /exec/{id}/json``.

    The exit code is None until it is final. Podman can report an early 0: a resize that finds the
    command ended marks it as ended, before the real code is known. The PID becomes 0 only together
    with the real code (libpod/container_exec.go, ExecResize).
    """
    state = _object(data, "the exec instance")
    running = _typed(state.get("Running"), bool, "Running")
    code, pid = state.get("ExitCode"), number(state.get("Pid"), "Pid", MOST_PID)
    # Podman marks the end by CanRemove, as its ExitCode is 0 from the start, and its Pid is 0 then.
    # Docker keeps the Pid, and sets CanRemove by the clock: perhaps at once, also after a failed
    # start (moby, daemon/exec.go, execCommandGC).
    ended = is_podman and state.get("CanRemove") is True
    is_unsettled = ended and pid > 0
    # The code is not final while the command runs, while Docker's is null, while Podman's is early,
    # and before Podman starts the command.
    if running or code is None or is_unsettled or (code == pid == 0 and not ended):
        return ExecState(running, None, pid)
    return ExecState(running, number(code, "ExitCode", 255), pid, is_forgotten=ended and pid == 0)


def read_error(data: bytes) -> str:
    """Return the message of an error; the raw text if that is not the API's JSON."""
    try:
        message = text_in(_object(data, "the error"), "message")
    except WrongAnswer:
        message = data[: 4 * LONGEST_TEXT].decode(errors="replace")
    return printable(message.strip()[:LONGEST_TEXT])


def _container(item: object) -> Container:
    item = _typed(item, dict, "a container")
    labels = labels_in(item)
    files = _paths(labels.get(f"{COMPOSE}.project.config_files", ""))
    container_id = _id(item)
    mounts = _typed(item.get("Mounts") or [], list, "Mounts")
    return Container(
        id=container_id,
        name=_name(item.get("Names") or [], container_id),
        state=text_in(item, "State"),
        status=text_in(item, "Status", ""),
        labels=labels,
        image=text_in(item, "Image", ""),
        created=number(item.get("Created", 0), "Created", 2**63),
        mounts=[found for mount in mounts if (found := _bind_mount(mount, labels)) is not None],
        folder=_path(labels, f"{COMPOSE}.project.working_dir"),
        config_files=[file for file in files if is_path(file)],
        local_folder=_path(labels, DEV_FOLDER),
    )


def _paths(text: str) -> list[str]:
    """Split a comma-separated list of absolute paths, which may contain commas themselves."""
    found: list[str] = []
    for part in text.split(",", MOST_FILES):
        if found and not part.startswith("/"):  # the rest of a path with a comma
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def _path(labels: Mapping[str, str], label: str) -> str:
    """Return the absolute path in a label; empty if it is missing or invalid."""
    path = labels.get(label, "")
    return path if is_path(path) else ""


def _process(row: object) -> tuple[int, int]:
    match row:
        case [str(pid), str(parent)] if _PID.fullmatch(pid) and _PID.fullmatch(parent):
            return int(pid), int(parent)
    raise WrongAnswer("a process has no number")


def labels_in(item: Mapping[str, object]) -> Mapping[str, str]:
    """Return an object's labels."""
    found = object_in(item, "Labels")
    return {label: _typed(value, str, "a label") for label, value in found.items()}


def _name(names: object, container_id: str) -> str:
    """Return a container's own name, or else its short ID. A name with another slash is a link."""
    for name in _typed(names, list, "Names"):
        own = _typed(name, str, "Names").removeprefix("/")
        if re.fullmatch(NAME, own) and len(own) <= LONGEST_TEXT:
            return own
    return container_id[:_SHORT_ID]


def _bind_mount(mount: object, labels: Mapping[str, str]) -> Mount | None:
    mount = _typed(mount, dict, "a mount")
    if mount.get("Type") != "bind":
        return None
    source, target = mount.get("Source"), mount.get("Destination")
    if not (isinstance(source, str) and isinstance(target, str)):
        raise WrongAnswer("a mount has no source or destination")
    if not (is_path(source) and is_path(target)):
        return None
    return Mount(named_source(source, target, labels), target)


def _parsed(data: bytes) -> object:
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > MOST_VALUES:
        raise WrongAnswer(f"more than {MOST_VALUES} values in an answer")
    try:
        parsed: object = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise WrongAnswer("its answer is not JSON") from exc
    return parsed


def _no_constant(name: str) -> object:
    raise WrongAnswer(f"{name} is not JSON")


def _object(data: bytes, what: str) -> dict[str, object]:
    return _typed(_parsed(data), dict, what)


def _typed(value: object, kind: type[T], what: str) -> T:
    if not isinstance(value, kind):
        raise WrongAnswer(f"{what} is of the wrong type, {type(value).__name__}")
    return value


def text_in(item: Mapping[str, object], field: str, default: str | None = None) -> str:
    """Return a string in an object, cut to ``LONGEST_TEXT``; the default if missing or null."""
    value = item.get(field)
    return _typed(default if value is None else value, str, field)[:LONGEST_TEXT]


def listed(data: bytes, what: str) -> list[dict[str, object]]:
    """Parse an answer that is a list of objects."""
    return [_typed(item, dict, what) for item in _typed(_parsed(data), list, what)]


def object_in(item: Mapping[str, object], field: str) -> dict[str, object]:
    """Return an object in an object; an empty one if missing or null."""
    return _typed(item.get(field) or {}, dict, field)


def number(value: object, field: str, most: int) -> int:
    """Return ``value``, checked to be an integer from 0 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise WrongAnswer(f"{field} is out of its range")
    return value


def _id(item: Mapping[str, object]) -> str:
    found = item.get("Id")
    if not isinstance(found, str) or not is_full_id(found):
        raise WrongAnswer("an ID is not 64 hexadecimal digits")
    return found
