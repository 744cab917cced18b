"""Finds the process of a command in a container by the order in which processes started. Pure.

The engine numbers processes in its machine's PID namespace, the container in its own, and nothing
maps one number to the other. But in both numberings, an exec'd process has no parent within the
container, and the order in which such processes started is known. So the command's process has the
same position in both lists, provided that no process started or ended in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Root", "match_root"]


@dataclass(frozen=True, slots=True)
class Root:
    """A process that has no parent in the container, as seen from inside.

    Attributes:
        pid, session: in the container's numbering.
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
    """Return the process whose number on the engine's machine is ``pid``; None if uncertain.

    Args:
        pid: the command's process, in the engine's numbering.
        before: the container's processes in the engine's numbering, each (number, parent), the
            oldest first, listed before ``inside``.
        inside: the roots, in any order.
        after: the list of ``before`` once more, made after ``inside``.
    """
    roots = _roots(before)
    if roots != _roots(after) or len(roots) != len(inside) or pid not in roots:
        return None
    by_age = sorted(inside, key=lambda root: (root.start, root.pid))
    found = by_age[roots.index(pid)]
    # The order of two processes that started in the same clock tick is unknown. And every exec'd
    # process leads its session: if this one does not, it is another.
    is_unique = [root.start for root in inside].count(found.start) == 1
    return found if is_unique and found.session == found.pid else None


def _roots(processes: Sequence[tuple[int, int]]) -> list[int]:
    """Return the numbers of the processes whose parent is not among them."""
    pids = {pid for pid, _ in processes}
    return [pid for pid, parent in processes if parent not in pids]
