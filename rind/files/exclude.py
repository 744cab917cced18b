"""Patterns of files to leave out of a copy, as in ``.dockerignore``. Pure.

A pattern is a path relative to the root of the copied directory. In its names, ``*``, ``?`` and
``[…]`` match as in :mod:`fnmatch`, also a leading dot. The name ``**`` matches any number of
directories, including none; at the end of a pattern, it matches everything below. Unlike in
``.dockerignore``, a pattern cannot begin with ``!``.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase

from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Exclude"]


class Exclude:
    """Decides which paths to leave out.

    Args:
        patterns: relative to the root. A path that matches one of them is left out.

    Raises:
        TypeError: ``patterns`` is a string, or a pattern is not.
        UsageError: a pattern is invalid.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        if isinstance(patterns, str):
            raise TypeError(f"exclude is a list of patterns: write exclude=[{patterns!r}]")
        self._globs = [_globs(pattern) for pattern in patterns]

    def __contains__(self, names: Sequence[str]) -> bool:
        """Whether to leave out a path, given by its names from the root on."""
        return any(_matches(names, globs) for globs in self._globs)


def _globs(pattern: str) -> list[str]:
    """Return the names of a pattern.

    Raises:
        TypeError, UsageError: as :class:`Exclude`.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern must be a str, but is of type {type(pattern).__name__}")
    globs = posixpath.normpath(pattern).split("/")
    if globs[0] in {"", ".", ".."}:
        raise UsageError(f"exclude={pattern!r}: a pattern must be relative to the copied directory")
    if pattern.startswith("!"):
        raise UsageError(f"exclude={pattern!r}: a pattern cannot begin with !")
    if any("**" in glob and glob != "**" for glob in globs):
        raise UsageError(f"exclude={pattern!r}: ** must be a whole name, as in **/*.pyc")
    return globs


def _matches(names: Sequence[str], globs: Sequence[str]) -> bool:
    if not names or not globs:
        return not names and not globs
    first, *rest = globs
    if first != "**":
        return fnmatchcase(names[0], first) and _matches(names[1:], rest)
    return not rest or any(_matches(names[start:], rest) for start in range(len(names)))
