"""Which process in a container is a command's own, where its environment does not say so. Pure.

An engine numbers processes as its machine does, a container as its own namespace does, and nothing
tells one number from the other. But what was exec'd has no parent in the container, on either
side, and both sides know the order in which such processes were started. So the command is the
one that has the same place among them, provided that none came or went while we looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Root", "match_root"]


@dataclass(frozen=True, slots=True)
class Root:
    """A process with no parent in the container, as the container has it.

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
    """Return the process that the engine calls ``pid``; None where that is not certain.

    Args:
        pid: by the engine's numbers.
        before: the container's processes as the engine has them, each (number, parent), the
            oldest first, before ``inside`` was looked at.
        inside: the roots, in any order.
        after: the same as ``before``, after that.
    """
    roots = _roots(before)
    if roots != _roots(after) or len(roots) != len(inside) or pid not in roots:
        return None
    by_age = sorted(inside, key=lambda root: (root.start, root.pid))
    found = by_age[roots.index(pid)]
    # Of two that were started in one tick, which is which is not certain.
    alone = [root.start for root in inside].count(found.start) == 1
    return found if alone and found.session == found.pid else None


def _roots(processes: Sequence[tuple[int, int]]) -> list[int]:
    pids = {pid for pid, _ in processes}
    return [pid for pid, parent in processes if parent not in pids]
