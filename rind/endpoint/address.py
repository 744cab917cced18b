"""Addresses of engines, as people write them: checked, completed, and printed without a password.

An accepted address is complete and contains no password, so it may be printed. Messages print any
other address by :func:`shown`.
"""

from __future__ import annotations

import os
import re
import sys

from rind.base.light import pattern, socket
from rind.base.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_SOCKET",
    "SshAddress",
    "accepted",
    "can_be_forwarded",
    "read_ssh",
    "shown",
]

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
DEFAULT_HOST: Final = f"unix://{DEFAULT_SOCKET}"

_PORTS: Final = {"tcp": 2375, "http": 80}
"""Default ports: docker's without TLS (docker/cli, opts/hosts.go), and HTTP's."""
_TLS_PORT: Final = 2376
"""docker's default port with TLS (docker/cli, opts/hosts.go)."""
_HIGHEST_PORT: Final = 65535

_LONGEST_PATH: Final = 103 if sys.platform == "darwin" else 107
"""Most bytes of a socket's path: sockaddr_un holds these and a NUL (unix(7); macOS's unix(4))."""

_SCHEME: Final = pattern(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PLACE: Final = pattern(r"(\[[^\]]*\]|[^:]*)(?::([^:]*))?")
_PORT: Final = pattern(r"0*([1-9][0-9]{0,4})")
_NAME: Final = pattern(r"(?=.{1,254}\Z)[\w-]{1,63}(\.[\w-]{1,63})*\.?")
"""A host name (RFC 1035, 2.3.4). It may have underscores, as Compose services do, and letters of
other scripts, which the resolver accepts or refuses."""
_IPV6: Final = pattern(r"\[([0-9A-Fa-f:.]+)(%[\w.-]+)?\]")
_USER: Final = r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*"
"""A user name that is safe in a shell, as ssh may use one (ssh_config(5), ProxyCommand's %r)."""
_FORWARDED: Final = r"(/[A-Za-z0-9_.@+,=-]+)+"
"""A path that ssh does not interpret: without colons, percent and dollar signs (ssh(1), -L)."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    """A socket on another machine.

    Attributes:
        user, port: empty to use those of ssh's own configuration.
        path: of the socket.
    """

    user: str
    host: str
    port: str
    path: str


def accepted(address: str, *, tls: bool) -> str | None:
    """Return the complete URL of an address; None if Rind has no transport for it.

    Args:
        address: as the user wrote it.
        tls: whether TCP will be encrypted.

    Raises:
        ValueError: the address is invalid. The message says why.
    """
    scheme, rest = _split(address.strip())
    if scheme == "unix":
        return _unix_url(rest)
    if scheme in _PORTS:
        return _tcp_url(scheme, rest, tls=tls)
    return _ssh_url(rest) if scheme == "ssh" else None


def read_ssh(url: str) -> SshAddress:
    """Read an accepted ``ssh://`` URL."""
    place, slash, path = url.removeprefix("ssh://").partition("/")
    user, _, place = place.rpartition("@")
    host, port = _parted(place, "ssh")
    return SshAddress(user, host.strip("[]"), port, f"/{path}" if slash else DEFAULT_SOCKET)


def can_be_forwarded(path: str) -> bool:
    """Whether ssh can forward a socket at ``path``."""
    return re.fullmatch(_FORWARDED, path) is not None


def shown(address: str) -> str:
    """Return ``address`` for a message, without a password.

    >>> shown("ssh://me:secret@host")
    'ssh://me:***@host'
    """
    scheme, rest = _split(address)
    head = address.removesuffix(rest)
    if scheme != "unix":  # any character may be in a path
        user, at, rest = rest.rpartition("@")
        if at:
            name, colon, _ = user.partition(":")
            # Only ssh needs a user name. With other schemes, the name may be a token.
            hidden = "***" if scheme != "ssh" else f"{name}:***" if colon else name
            rest = f"{hidden}@{rest}"
        rest = re.sub(r"([?#]).+", r"\1***", rest, flags=re.DOTALL)
    return f"{head}{rest}".encode(errors="backslashreplace").decode()


def _split(address: str) -> tuple[str, str]:
    """Return an address's scheme, and the text after ``://``.

    Without a scheme, a path is a unix socket's, and any other text is for TCP. That is docker/cli's
    rule (opts/hosts.go).
    """
    if match := _SCHEME.match(address):
        return match[1], address[match.end() :]
    return "unix" if address.startswith(("/", "./")) or not address else "tcp", address


def _unix_url(path: str) -> str:
    """Return the URL of the socket at ``path``.

    Raises:
        ValueError: a socket cannot have that path.
    """
    if not path:
        return DEFAULT_HOST
    if "\0" in path:
        raise ValueError("the socket's path has a NUL byte in it")
    if not path.startswith(("/", "@")):  # Go writes an abstract socket with @
        path = os.path.abspath(path)
    if (size := _size(path)) > _LONGEST_PATH:
        raise _too_long(size)
    return f"unix://{path}"


def _tcp_url(scheme: str, rest: str, *, tls: bool) -> str:
    """Return the URL of the host and port in ``rest``; either may be missing.

    Raises:
        ValueError: they are invalid, or more follows them.
    """
    _size(rest)
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    after = rest.removeprefix(place)
    place = place.rpartition("@")[2]  # docker does not send a user either
    if place == "unix:" and after:
        raise ValueError(f"did you mean unix://{after}?")
    if after not in {"", "/"}:
        raise ValueError(f"it has more than a host and a port: write {scheme}://HOST:PORT")
    host, port = _parted(place, scheme)
    usual = _TLS_PORT if tls and scheme == "tcp" else _PORTS[scheme]
    return f"{scheme}://{host or 'localhost'}:{port or usual}"


def _ssh_url(rest: str) -> str:
    """Return the URL of a socket on another machine, from the text after ``ssh://``.

    Raises:
        ValueError: the address is invalid.
    """
    _size(rest)
    place, slash, path = rest.partition("/")
    user, at, place = place.rpartition("@")
    if ":" in user:
        raise ValueError("remove the password: ssh asks for it, or uses a key")
    if at and not re.fullmatch(_USER, user):
        raise ValueError(f"{user!r} is not a valid user name")
    host, port = _parted(place, "ssh")
    if not host or host.startswith("-"):
        raise ValueError("it names no host: write ssh://USER@HOST")
    if not path:
        slash = ""
    elif not can_be_forwarded(f"/{path}"):
        raise ValueError(f"ssh cannot forward a socket at the path {'/' + path!r}")
    elif (size := _size(path) + 1) > _LONGEST_PATH:
        raise _too_long(size)
    return f"ssh://{user}{at}{host}{port and ':'}{port}{slash}{path}"


def _parted(place: str, scheme: str) -> tuple[str, str]:
    """Split ``HOST:PORT`` into the host and the port; either may be empty.

    Raises:
        ValueError: they are invalid.
    """
    match = _PLACE.fullmatch(place)
    if match is None:
        example = f"{scheme}://[::1]:{_PORTS.get(scheme, 22)}"
        raise ValueError(f"an IPv6 address needs brackets, for example {example}")
    host, port = match[1], match[2] or ""
    if host and not _NAME.fullmatch(host) and not _is_ipv6(host):
        raise ValueError(f"{host!r} is neither a host name nor an IP address")
    number = _PORT.fullmatch(port)
    if port and (number is None or int(number[1]) > _HIGHEST_PORT):
        raise ValueError(f"the port {port!r} is not a number from 1 to {_HIGHEST_PORT}")
    return host, number[1] if number else ""


def _is_ipv6(host: str) -> bool:
    match = _IPV6.fullmatch(host)
    try:
        socket.inet_pton(socket.AF_INET6, match[1] if match else "")
    except OSError:
        return False
    return True


def _too_long(size: int) -> ValueError:
    return ValueError(
        f"the socket's path is too long: it has {size} bytes, and at most {_LONGEST_PATH} fit"
    )


def _size(text: str) -> int:
    """Count the bytes of ``text`` in UTF-8.

    Raises:
        ValueError: it contains a lone surrogate, which UTF-8 cannot encode.
    """
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not valid UTF-8") from None
