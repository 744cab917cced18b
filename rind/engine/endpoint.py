"""Which engine: the endpoint's URL, found in the docker CLI's order of precedence.

aiodocker lets a current context beat ``DOCKER_HOST`` and ignores ``DOCKER_CONFIG``; the docker
CLI does neither, and people expect the CLI's engine.

An address that gets as far as an :class:`Endpoint` is complete and has no user and no password in
it, so it may be printed. Messages about any other address go through :func:`shown`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from contextlib import suppress

from rind.errors import UsageError
from rind.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = [
    "DEFAULT_HOST",
    "Endpoint",
    "context_names",
    "docker_setting",
    "resolve_endpoint",
    "shown",
]

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_PORTS: Final = {"tcp": 2375, "http": 80}
"""Where an address names no port: docker's without TLS (docker/cli, opts/hosts.go), and HTTP's."""
_HIGHEST_PORT: Final = 65535

_LONGEST_PATH: Final = 107
"""Bytes of a socket's path: Linux's sockaddr_un (unix(7)) has room for these and a NUL."""
_LONGEST_FILE: Final = 2**20
"""Bytes of a file of docker's; an ordinary one has a few thousand."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PLACE: Final = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([^:]*))?")
_PORT: Final = re.compile(r"0*([1-9][0-9]{0,4})")
_NAME: Final = re.compile(r"(?=.{1,254}\Z)[\w-]{1,63}(\.[\w-]{1,63})*\.?")
"""A host's name (RFC 1035, 2.3.4), with the underscores that Compose services may have; what else
is a letter in Unicode is for the resolver to take or refuse."""
_IPV6: Final = re.compile(r"\[([0-9A-Fa-f:.]+)(%[\w.-]+)?\]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is.

    Attributes:
        url: ``unix:///path``, ``tcp://host:port`` or ``http://host:port``.
        source: what said so, for messages.
    """

    url: str
    source: str


def resolve_endpoint(
    env: Mapping[str, str],
    *,
    host: str | None = None,
    context: str | None = None,
    prefix: str = "--",
) -> Endpoint:
    """Find the engine's endpoint.

    In this order: ``host``, ``context``, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, docker's
    configuration file, the default socket.

    Args:
        env: the environment variables.
        host: an address; None for none.
        context: the name of a docker context; None for none.
        prefix: of these two names in messages: an option's, or none for a keyword.

    Raises:
        UsageError: the context does not exist or cannot be read, the address is invalid, or Rind
            has no transport for it.
    """
    if host and context:
        raise UsageError(f"{prefix}host and {prefix}context exclude each other")
    if host:
        return _checked(host, f"{prefix}host")
    if not context and env.get("DOCKER_HOST"):
        return _checked(env["DOCKER_HOST"], "DOCKER_HOST")
    config = _config_folder(env)
    source = f"{prefix}context" if context else "DOCKER_CONTEXT"
    name = context or env.get("DOCKER_CONTEXT")
    if not name:
        source = _joined(config, "config.json")
        name = docker_setting(env, "currentContext")
    if not name or name == "default":
        return Endpoint(DEFAULT_HOST, "the default")
    return _checked(_context_host(config, name, source), f"the context {name}")


def docker_setting(env: Mapping[str, str], name: str) -> str:
    """Return a setting of docker's configuration file; empty where there is none.

    Raises:
        UsageError: the file cannot be read, or the setting is not a string.
    """
    path = _joined(_config_folder(env), "config.json")
    try:
        value = _read_object(path).get(name)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read docker's configuration file {path}: {_why(exc)}") from exc
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"in docker's configuration file {path}: {name} is not a string")
    return value


def context_names(env: Mapping[str, str]) -> list[str]:
    """Return the names of docker's readable contexts."""
    names = ["default"]
    folder = _joined(_config_folder(env), "contexts/meta")
    with suppress(OSError):
        for context in os.listdir(folder):  # noqa: PTH208 # see below
            with suppress(OSError, ValueError):
                name = _read_object(_joined(folder, context, "meta.json")).get("Name")
                if isinstance(name, str):
                    names.append(name)
    return names


def shown(address: str) -> str:
    """Return ``address`` as a message may have it: without a password.

    >>> shown("ssh://me:secret@host")
    'ssh://me:***@host'
    """
    scheme, rest = _split(address)
    head = address.removesuffix(rest)
    if scheme != "unix":  # whose paths may have an @ and all else
        user, at, rest = rest.rpartition("@")
        if at:
            name, colon, _ = user.partition(":")
            # Only ssh needs a user; elsewhere, it may be a token.
            hidden = "***" if scheme != "ssh" else f"{name}:***" if colon else name
            rest = f"{hidden}@{rest}"
        rest = re.sub(r"([?#]).+", r"\1***", rest, flags=re.DOTALL)
    return f"{head}{rest}".encode(errors="backslashreplace").decode()


def _config_folder(env: Mapping[str, str]) -> str:
    return env.get("DOCKER_CONFIG") or _joined(env.get("HOME") or "/", ".docker")


def _joined(*names: str) -> str:
    return os.path.join(*names)  # noqa: PTH118 # importing pathlib takes 9 ms


def _context_host(config: str, name: str, source: str) -> str:
    from hashlib import sha256  # noqa: PLC0415 # a run without a context needs none

    try:
        encoded = name.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"the name {name!a} of a docker context (from {source}) is not valid UTF-8"
        ) from exc
    # docker/cli, context/store: a context's directory is the SHA-256 of its name.
    path = _joined(config, "contexts/meta", sha256(encoded).hexdigest(), "meta.json")
    unreadable = f"cannot read the docker context {name} in {path}"
    try:
        found: object = _read_object(path)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise UsageError(
            f"there is no docker context {name} (named by {source}); see: docker context ls"
        ) from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{unreadable}: {_why(exc)}") from exc
    for key in ("Endpoints", "docker", "Host"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise UsageError(f"{unreadable}: it names no host in Endpoints.docker.Host")
    return found


def _read_object(path: str) -> dict[str, object]:
    """Return the JSON object in a file of docker's; an empty file is an empty one, as to docker.

    Does not wait: a FIFO, whose writer might never come, is refused as all but a regular file is.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is too large, or holds something else.
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
        raise ValueError("it is not a JSON object")  # noqa: TRY004 # the file's value, not ours
    return found


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def _checked(address: str, source: str) -> Endpoint:
    address = address.strip()
    scheme, rest = _split(address)
    try:
        if scheme == "unix":
            return Endpoint(_unix_url(rest), source)
        if scheme in _PORTS:
            return Endpoint(_tcp_url(scheme, rest), source)
    except ValueError as exc:
        raise UsageError(f"invalid engine address {shown(address)} (from {source}): {exc}") from exc
    raise UsageError(
        f"no transport for the engine {shown(address)} (from {source}): "
        "Rind speaks unix:// and tcp://; for ssh, forward the socket with ssh -L"
    )


def _split(address: str) -> tuple[str, str]:
    """Return an address's scheme, and what follows it.

    Without one, as docker/cli has it (opts/hosts.go), a path is a socket's, and all else TCP's.
    """
    if match := _SCHEME.match(address):
        return match[1], address[match.end() :]
    return "unix" if address.startswith(("/", "./")) or not address else "tcp", address


def _unix_url(path: str) -> str:
    """Return the URL of the socket at ``path``.

    Raises:
        ValueError: there can be none.
    """
    if not path:
        return DEFAULT_HOST
    if not path.startswith("/"):
        raise ValueError("the socket needs an absolute path, as unix:///var/run/docker.sock")
    if "\0" in path:
        raise ValueError("the path of the socket has a NUL byte in it")
    if (size := _size(path)) > _LONGEST_PATH:
        raise ValueError(f"the socket's path has {size} bytes, and {_LONGEST_PATH} are the most")
    return f"unix://{path}"


def _tcp_url(scheme: str, rest: str) -> str:
    """Return the URL of the host and port in ``rest``; either may be missing.

    Raises:
        ValueError: they are invalid, or there is more than that.
    """
    _size(rest)
    if "@" in rest:
        raise ValueError("remove the user and the password, which Rind does not send")
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    after = rest.removeprefix(place)
    if place == "unix:" and after:
        raise ValueError(f"did you mean unix://{after}?")
    if after not in {"", "/"}:
        raise ValueError(f"it has more than a host and a port: write {scheme}://HOST:PORT")
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError(f"an IPv6 address needs brackets, as {scheme}://[::1]:{_PORTS[scheme]}")
    host, port = match[1] or "localhost", match[2] or str(_PORTS[scheme])
    if not _NAME.fullmatch(host) and not _is_ipv6(host):
        raise ValueError(f"{host!r} is neither a host name nor an IP address")
    number = _PORT.fullmatch(port)
    if number is None or int(number[1]) > _HIGHEST_PORT:
        raise ValueError(f"the port {port!r} is not a number from 1 to {_HIGHEST_PORT}")
    return f"{scheme}://{host}:{number[1]}"


def _is_ipv6(host: str) -> bool:
    match = _IPV6.fullmatch(host)
    try:
        socket.inet_pton(socket.AF_INET6, match[1] if match else "")
    except OSError:
        return False
    return True


def _size(text: str) -> int:
    """Count the bytes of ``text`` in UTF-8.

    Raises:
        ValueError: it has none.
    """
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not valid UTF-8") from None
