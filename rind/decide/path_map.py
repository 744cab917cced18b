"""Maps paths between this machine and a container, by the container's bind mounts. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from rind.decide.workdir import below, joined, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Final

    from rind.model import Mount

__all__ = ["PathMap", "uri_path", "uri_quoted"]

_OPTION: Final = re.compile(r"(--?[A-Za-z][\w-]*=)(.*)", re.DOTALL)
_FILE: Final = "file://"
_URI: Final = re.compile(r"(file://(?:localhost)?)(/[^?#]*)(.*)", re.DOTALL)
"""A URI of a local file: the text before its path, the path, and the text after it."""
_SAFE: Final = "/~!$&'()*+,;=:@"
"""Characters of a path that a URI need not quote, besides letters and digits (RFC 3986, 3.3)."""


class PathMap:
    """Maps paths both ways; the deepest mount that contains a path decides.

    Args:
        mounts: the bind mounts. Of several with the same target, the first one maps it back.
        copies: this machine's copies of single files that no mount has, by the container's path.

    Attributes:
        mounts: pairs of this machine's path and the container's, one for each target.
    """

    def __init__(self, mounts: Iterable[Mount], copies: Mapping[str, str] | None = None) -> None:
        self._sources = [(joined(mount.source), joined(mount.target)) for mount in mounts]
        named = {target: source for source, target in reversed(self._sources)}
        self.mounts = [(source, target) for target, source in named.items()]
        self._targets = list(named.items())
        self._copies = {} if copies is None else copies

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
        mapped = _mapped(path, self._targets)
        return self._copies.get(path, path) if mapped == path else mapped

    def has(self, path: str) -> bool:
        """Whether a mount contains an absolute path of the container."""
        return any(below(path, target) is not None for target, _ in self._targets)

    def uri_to_container(self, uri: str) -> str:
        """Return a ``file://`` URI with its path mapped; any other text unchanged."""
        return _mapped_uri(uri, self.to_container)

    def uri_to_host(self, uri: str) -> str:
        """Return a ``file://`` URI with its path mapped back; any other text unchanged."""
        return _mapped_uri(uri, self.to_host)

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


def _mapped_uri(uri: str, map_path: Callable[[str], str]) -> str:
    if not (match := _URI.fullmatch(uri)):
        return uri
    plain = unquote(match[2], errors="surrogateescape")
    mapped = map_path(plain)
    return uri if mapped == plain else f"{match[1]}{uri_quoted(mapped)}{match[3]}"


def uri_path(uri: str) -> str:
    """Return the path of a ``file://`` URI; empty for any other text.

    >>> uri_path("file:///my%20shop#L3")
    '/my shop'
    """
    match = _URI.fullmatch(uri)
    return unquote(match[2], errors="surrogateescape") if match else ""


def uri_quoted(path: str) -> str:
    """Return a path, quoted for a URI.

    >>> uri_quoted("/my shop")
    '/my%20shop'
    """
    return quote(path, safe=_SAFE, errors="surrogateescape")
