"""Finds the process of a command in a container by the order of starts. Pure.

The engine numbers processes in its machine's PID namespace, the container in its own, and nothing
maps one number to the other. But an exec'd process has no parent in the container in either
numbering, and both know the order in which such processes started. So the command's process has
the same position in both lists, provided that no process came or went in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Root", "match_root"]


@dataclass(frozen=True, slots=True)
class Root:
    """A process that has no parent in the container, as seen inside.

    Attributes:
        pid, session: by the container's numbers.
        start: in clock ticks since the machine's start (proc(5), stat, field 22).
    """

    pid: int
    session: int
    start: int


def match_root(
    pid: int,
    before: Sequence[tuple[int, int]],
    inside: Sequence[Root],
    after: Sequence[tuple[int, int]],
) -> Root | None:
    """Return the process that has the number ``pid`` on the engine's machine; None if uncertain.

    Args:
        pid: the command's process, in the engine's numbering.
        before: the container's processes in the engine's numbering, each (number, parent), the
            oldest first, listed before ``inside``.
        inside: the roots, in any order.
        after: the same as ``before``, listed after ``inside``.
    """
    roots = _roots(before)
    if roots != _roots(after) or len(roots) != len(inside) or pid not in roots:
        return None
    by_age = sorted(inside, key=lambda root: (root.start, root.pid))
    found = by_age[roots.index(pid)]
    # Two that started in the same tick cannot be told apart.
    alone = [root.start for root in inside].count(found.start) == 1
    return found if alone and found.session == found.pid else None


def _roots(processes: Sequence[tuple[int, int]]) -> list[int]:
    pids = {pid for pid, _ in processes}
    return [pid for pid, parent in processes if parent not in pids]
