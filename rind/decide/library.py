"""Which files of a container a language server's answer names, and how they are fetched. Pure.

Goal: an editor can open what a server answers, such as a definition in a library, which is in the
container only.

Plan: the answers to requests name locations, which an editor opens, in a few keys (LSP 3.17,
"Location", "LocationLink", "DocumentLink", "WorkspaceEdit") and as links within a hover's Markdown.
Diagnostics name files too, but an editor does not open these by itself. One shell script fetches
all the named files of an answer. It runs as the server's user: so a server gets no file into the
editor, which would send it the text, that it could not read itself.
"""

from __future__ import annotations

import re
from itertools import islice

from rind.base.records import dataclass
from rind.decide.path_map import uri_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from rind.decide.path_map import PathMap

__all__ = ["Fetched", "fetch_argv", "fetched", "named"]

MOST_NAMED: Final = 64
"""Files of one answer to fetch; an editor's list of references fits a screen or two."""
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a file; the largest source in Debian's Python packages has 3 MiB."""
MOST_AT_ONCE: Final = 16 * 1024 * 1024
"""Bytes of all files of one answer."""
LONGEST: Final = 1024
"""Bytes of a path."""
DEEPEST: Final = 40
"""Names in a path."""
_LATEST: Final = 2**40
"""Seconds since the epoch: a modification time that every file system accepts."""

_LOCATIONS: Final = {"uri", "targetUri", "target"}
"""Keys whose values an editor opens."""
_NOT_OPENED: Final = {"data", "relatedInformation"}
"""Keys whose values are for the server alone, or belong to a diagnostic."""
_LIBRARIES: Final = {
    *(".asdf", ".bundle", ".cache", ".cargo", ".conda", ".gem", ".gradle", ".local", ".m2", ".nox"),
    *(".npm", ".nvm", ".pnpm", ".pyenv", ".rbenv", ".rustup", ".tox", ".venv", ".virtualenvs"),
}
"""Hidden folders that libraries are in."""
_LINK: Final = re.compile(r"file://[^\s\"'<>)\]}`|\\]*")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_SCRIPT: Final = """\
most=$1 left=$2
shift 2
while [ $# -gt 1 ]; do
  stamp= size=
  if [ -f "$1" ] && [ -r "$1" ]; then
    stamp=$(stat -L -c '%s %Y' "$1" 2>/dev/null)
    size=${stamp%% *}
  fi
  if [ -z "$size" ]; then
    echo -
  elif [ "$stamp" = "$2" ]; then
    echo =
  elif [ "$size" -le "$most" ] && [ "$size" -le "$left" ]; then
    left=$((left - size))
    echo "$stamp"
    head -c "$size" "$1"
  else
    echo -
  fi
  shift 2
done
"""
"""Prints for each PATH and STAMP: ``-`` if it cannot be fetched, ``=`` if its stamp is the same,
or its stamp (size and modification time) and its content."""
_STAMP: Final = re.compile(rb"([0-9]{1,9}) (-?[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer for one file.

    Attributes:
        path: in the container.
        is_there: whether it can be fetched.
        content: None if it has not changed, or is not there.
        modified: seconds since the epoch.
    """

    path: str
    is_there: bool
    content: bytes | None = None
    modified: int = 0


def named(message: object, paths: PathMap) -> list[str]:
    """Return the container's files that an answer names and that no mount has.

    They are absolute and without ``..``. At most MOST_NAMED are looked for; a message that is no
    answer names none.
    """
    if not isinstance(message, dict) or "method" in message or "result" not in message:
        return []
    found = dict.fromkeys(uri_path(uri) for uri in _uris(message["result"], ""))
    return list(islice((path for path in found if _may_fetch(path, paths)), MOST_NAMED))


def _uris(value: object, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if name == "changes":
                yield key
            elif key in _LOCATIONS and isinstance(item, str):
                yield item
            elif key == "contents":
                yield from _links(item)
            elif key not in _NOT_OPENED:
                yield from _uris(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _uris(item, name)


def _links(contents: object) -> Iterator[str]:
    """Yield the links in what hovers: a string, an object with it, or a list of them."""
    if isinstance(contents, str):
        yield from _LINK.findall(contents)
    elif isinstance(contents, dict):
        yield from _links(contents.get("value"))
    elif isinstance(contents, list):
        for item in contents:
            yield from _links(item)


def _may_fetch(path: str, paths: PathMap) -> bool:
    root, *names = path.split("/")
    if root or not names or not all(names) or "\0" in path or _may_configure(names):
        return False
    # Surrogates stand for bytes that are not UTF-8; the engine's JSON cannot carry these.
    size = len(path.encode(errors="surrogatepass"))
    is_short = len(names) <= DEEPEST and size <= LONGEST
    return is_short and not _SURROGATE.search(path) and not paths.has(path)


def _may_configure(names: list[str]) -> bool:
    """Whether a program of this machine may take a file for its configuration.

    Git runs programs that ``.git/config`` names, and that of a bare repository, which has a HEAD;
    cargo runs those in ``.cargo/config.toml``.
    """
    hidden = {name for name in names if name.startswith(".")}
    return not (
        hidden <= _LIBRARIES and hidden.isdisjoint(names[-2:]) and names[-1].upper() != "HEAD"
    )


def fetch_argv(stamps: Mapping[str, str]) -> list[str]:
    """Return the command that fetches files.

    Args:
        stamps: for each path, the size and the modification time of our copy, ``"12 1700000000"``;
            empty for none.
    """
    pairs = [word for pair in stamps.items() for word in pair]
    return ["/bin/sh", "-c", _SCRIPT, "rind-files", str(LARGEST), str(MOST_AT_ONCE), *pairs]


def fetched(asked: Mapping[str, str], output: bytes) -> Iterator[Fetched]:
    """Yield what the output of :func:`fetch_argv`'s command says, up to where it is damaged.

    Args:
        asked: as for :func:`fetch_argv`.
        output: the command's, to its end or not.
    """
    at = 0
    for path in asked:
        end = output.find(b"\n", at)
        line, at = output[at:end], end + 1
        if end >= 0 and line in {b"-", b"="}:
            yield Fetched(path, is_there=line == b"=")
            continue
        stamp = _STAMP.fullmatch(line)
        size = int(stamp[1]) if stamp else 0
        content = output[at : at + size]
        if end < 0 or not stamp or size > LARGEST or len(content) < size:
            return
        at += size
        yield Fetched(path, True, content, min(max(0, int(stamp[2])), _LATEST))
