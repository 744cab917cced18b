"""Maps paths between this machine and a container, by the container's bind mounts. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from rind.decide.workdir import below, joined, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from rind.model import Mount

__all__ = ["PathMap", "uri_quoted"]

_OPTION: Final = re.compile(r"(--?[A-Za-z][\w-]*=)(.*)", re.DOTALL)
_FILE: Final = "file://"
_SAFE: Final = "/~!$&'()*+,;=:@"
"""Characters of a path that a URI need not quote, besides letters and digits (RFC 3986, 3.3)."""


class PathMap:
    """Maps paths both ways; the deepest mount that contains a path decides.

    Args:
        mounts: the bind mounts. Of several with the same target, the first one maps it back.

    Attributes:
        mounts: pairs of this machine's path and the container's, one for each target.
    """

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._sources = [(joined(mount.source), joined(mount.target)) for mount in mounts]
        named = {target: source for source, target in reversed(self._sources)}
        self.mounts = [(source, target) for target, source in named.items()]
        self._targets = list(named.items())

    def __repr__(self) -> str:
        return f"<PathMap {self.mounts}>"

    def to_container(self, path: str) -> str:
        """Return the container's name of an absolute path of this machine; unchanged if unmounted.

        >>> PathMap([Mount("/home/me/shop", "/app")]).to_container("/home/me/shop/x.py")
        '/app/x.py'
        """
        return _mapped(path, self._sources)

    def to_host(self, path: str) -> str:
        """Return this machine's name of an absolute path of the container; unchanged if unmounted.

        >>> PathMap([Mount("/home/me/shop", "/app")]).to_host("/app/x.py")
        '/home/me/shop/x.py'
        """
        return _mapped(path, self._targets)

    def uri_to_container(self, uri: str) -> str:
        """Return a ``file://`` URI with its path mapped; any other text unchanged."""
        return _mapped_uri(uri, self._sources)

    def uri_to_host(self, uri: str) -> str:
        """Return a ``file://`` URI with its path mapped back; any other text unchanged."""
        return _mapped_uri(uri, self._targets)

    def word(self, word: str) -> str:
        """Return a word of a command line with its path mapped; any other word unchanged.

        The path is an absolute path, a ``file://`` URI, or either after ``--option=``.
        """
        option, value = "", word
        if match := _OPTION.fullmatch(word):
            option, value = match[1], match[2]
        if value.startswith(_FILE):
            return option + self.uri_to_container(value)
        return option + self.to_container(value) if value.startswith("/") else word


def _mapped(path: str, pairs: list[tuple[str, str]]) -> str:
    found = [
        (rest, target) for source, target in pairs if (rest := below(path, source)) is not None
    ]
    if not found or ".." in parts(path):
        return path
    rest, target = min(found, key=lambda pair: len(pair[0]))
    # Keep a final slash: some programs distinguish "folder/" from "folder".
    slash = "/" if path.endswith("/") and (rest or target != "/") else ""
    return joined(target, *rest) + slash


def _mapped_uri(uri: str, pairs: list[tuple[str, str]]) -> str:
    if not uri.startswith(_FILE):
        return uri
    host, slash, rest = uri.removeprefix(_FILE).partition("/")
    if host not in {"", "localhost"}:
        return uri
    path = re.split("[?#]", slash + rest, maxsplit=1)[0]
    after = uri[len(_FILE) + len(host) + len(path) :]
    plain = unquote(path, errors="surrogateescape")
    mapped = _mapped(plain, pairs)
    return uri if mapped == plain else f"{_FILE}{host}{uri_quoted(mapped)}{after}"


def uri_quoted(path: str) -> str:
    """Return a path, quoted for a URI.

    >>> uri_quoted("/my shop")
    '/my%20shop'
    """
    return quote(path, safe=_SAFE, errors="surrogateescape")
