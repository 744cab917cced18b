"""Docker's own configuration: its file, its contexts, and its settings for TLS."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress

from rind.base.quoting import quoted
from rind.base.records import dataclass
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = [
    "Context",
    "Tls",
    "broken_config",
    "context_names",
    "current_context",
    "docker_setting",
    "http_headers",
    "read_context",
    "wanted_tls",
]

_OWN_HEADERS: Final = {
    *("host", "connection", "upgrade", "user-agent", "accept-encoding"),
    *("content-type", "content-length", "transfer-encoding"),
}
"""Headers that Rind sets itself."""
_HEADER_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}"
_HEADER_VALUE: Final = r"[\t\x20-\x7e]{0,8000}"

_LONGEST_FILE: Final = 2**20
"""Most bytes of a file of docker's; an ordinary one has a few thousand."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How to encrypt. The first three are paths of PEM files, or None.

    Attributes:
        ca: the CA that must have signed the engine's certificate; None for the system's CAs.
        cert, key: the client certificate.
        verify: whether the engine's certificate must be valid.
    """

    ca: str | None
    cert: str | None
    key: str | None
    verify: bool


@dataclass(frozen=True, slots=True)
class Context:
    """A docker context.

    Attributes:
        host: the engine's address, not checked.
        tls: how to encrypt; None for no TLS.
    """

    host: str
    tls: Tls | None


def wanted_tls(env: Mapping[str, str]) -> Tls | None:
    """Return the TLS that the variables request (docker/cli, cli/flags/options.go)."""
    verify = bool(env.get("DOCKER_TLS_VERIFY"))
    if not verify and not env.get("DOCKER_TLS"):
        return None
    folder = env.get("DOCKER_CERT_PATH") or _config_folder(env)
    # As in docker/cli, files that do not exist are not used, except for the CA: it must exist.
    return Tls(
        ca=_joined(folder, "ca.pem") if verify else None,
        cert=_existing(folder, "cert.pem"),
        key=_existing(folder, "key.pem"),
        verify=verify,
    )


def broken_config(env: Mapping[str, str]) -> str | None:
    """Return why docker's configuration file cannot be used; None if it can, or does not exist.

    Like docker, the functions that read its settings ignore an unusable file.
    """
    path = _joined(_config_folder(env), "config.json")
    try:
        found = _read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        return f"cannot read docker's configuration file {path}: {_why(exc)}"
    for name in ("currentContext", "detachKeys"):
        if not isinstance(found.get(name, ""), str | None):
            return f"{name} in docker's configuration file {path} is not a string"
    return None


def docker_setting(env: Mapping[str, str], name: str) -> str:
    """Return a setting of docker's configuration file; empty if it is not set."""
    value = _settings(env).get(name)
    return value if isinstance(value, str) else ""


def http_headers(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers that docker's configuration file adds to every request.

    Ignores headers that Rind sets itself, and invalid ones.
    """
    configured = _settings(env).get("HttpHeaders")
    return tuple(
        (name, value)
        for name, value in (configured.items() if isinstance(configured, dict) else ())
        if name.lower() not in _OWN_HEADERS and re.fullmatch(_HEADER_NAME, name)
        if isinstance(value, str) and re.fullmatch(_HEADER_VALUE, value)
    )


def _settings(env: Mapping[str, str]) -> dict[str, object]:
    with suppress(OSError, ValueError):
        return _read_object(_joined(_config_folder(env), "config.json"))
    return {}


def current_context(env: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of the current context, or ``""``, and the variable or file that names it."""
    if name := env.get("DOCKER_CONTEXT"):
        return name, "DOCKER_CONTEXT"
    return docker_setting(env, "currentContext"), _joined(_config_folder(env), "config.json")


def context_names(env: Mapping[str, str]) -> list[str]:
    """Return the names of docker's readable contexts."""
    names = ["default"]
    folder = _joined(_config_folder(env), "contexts/meta")
    with suppress(OSError):
        for context in os.listdir(folder):
            with suppress(OSError, ValueError):
                name = _read_object(_joined(folder, context, "meta.json")).get("Name")
                if isinstance(name, str):
                    names.append(name)
    return names


def read_context(env: Mapping[str, str], name: str, source: str) -> Context:
    """Read a context.

    Args:
        env: the environment variables.
        name: the context's name.
        source: the option, variable or file that names it, for messages.

    Raises:
        UsageError: no context has that name, or it cannot be read.
    """
    from hashlib import sha256  # a run without a context needs none

    try:
        encoded = name.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"the name {name!a} of a docker context (from {source}) is not valid UTF-8"
        ) from exc
    # docker/cli, context/store: a context's directory is the SHA-256 of its name.
    digest = sha256(encoded).hexdigest()
    path = _joined(_config_folder(env), "contexts/meta", digest, "meta.json")
    unreadable = f"cannot read the docker context {quoted(name)} in {path}"
    try:
        found = _read_object(path)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise UsageError(
            f"there is no docker context {quoted(name)} (from {source}); see: docker context ls"
        ) from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{unreadable}: {_why(exc)}") from exc
    host, verify = _read_endpoint(found)
    if not host:
        raise UsageError(f"{unreadable}: it names no host in Endpoints.docker.Host")
    folder = _joined(_config_folder(env), "contexts/tls", digest, "docker")
    ca, cert, key = (_existing(folder, f"{file}.pem") for file in ("ca", "cert", "key"))
    encrypts = ca or cert or key or not verify
    return Context(host, Tls(ca, cert, key, verify) if encrypts else None)


def _read_endpoint(meta: dict[str, object]) -> tuple[str, bool]:
    """Return a context's host, or ``""``, and whether to verify its certificate."""
    match meta:
        case {"Endpoints": {"docker": {"Host": str(host), **more}}}:
            return host, more.get("SkipTLSVerify") is not True
    return "", True


def _config_folder(env: Mapping[str, str]) -> str:
    return env.get("DOCKER_CONFIG") or _joined(env.get("HOME") or "/", ".docker")


def _joined(*names: str) -> str:
    return os.path.join(*names)


def _existing(folder: str, file: str) -> str | None:
    path = _joined(folder, file)
    return path if os.path.exists(path) else None


def _read_object(path: str) -> dict[str, object]:
    """Return the JSON object in a file of docker's; an empty object for an empty file, as docker.

    Never blocks: it reads regular files only, and not a FIFO, which may have no writer.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is too large, not regular, or not a JSON object.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        data = file.read(_LONGEST_FILE + 1)
    if len(data) > _LONGEST_FILE:
        raise ValueError(f"it is larger than {_LONGEST_FILE} bytes")
    try:
        found = json.loads(data) if data.strip() else {}
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    except ValueError as exc:
        raise ValueError(f"it is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 # not a caller's mistake
    return found


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
