"""Identifies a command's own process among those without a parent, by the order of starts."""

import pytest

from rind.reaper.roots import Root, match_root

OUTSIDE = [(100, 7), (140, 100), (201, 7), (202, 201), (310, 7)]
"""A container's first process with a child, and two exec'd processes, one with a child."""
INSIDE = [Root(1, 1, 50), Root(8, 8, 60), Root(20, 20, 70)]


def test_the_same_place_is_the_same_process() -> None:
    for order in (INSIDE, INSIDE[::-1]):
        assert match_root(100, OUTSIDE, order, OUTSIDE) == INSIDE[0]
        assert match_root(201, OUTSIDE, order, OUTSIDE) == INSIDE[1]
        assert match_root(310, OUTSIDE, order, OUTSIDE) == INSIDE[2]


def test_a_child_elsewhere_is_ignored() -> None:
    assert match_root(201, OUTSIDE, INSIDE, [*OUTSIDE, (400, 310)]) == INSIDE[1]


@pytest.mark.parametrize(
    ("pid", "before", "inside", "after"),
    [
        (202, OUTSIDE, INSIDE, OUTSIDE),
        (999, OUTSIDE, INSIDE, OUTSIDE),
        (0, OUTSIDE, INSIDE, OUTSIDE),
        (201, OUTSIDE, INSIDE, OUTSIDE[:-1]),
        (201, OUTSIDE, INSIDE, [*OUTSIDE[:-1], (311, 7)]),
        (201, OUTSIDE, INSIDE[:-1], OUTSIDE),
        (201, OUTSIDE, [*INSIDE, Root(21, 21, 80)], OUTSIDE),
        (201, OUTSIDE, [INSIDE[0], Root(8, 8, 60), Root(20, 20, 60)], OUTSIDE),
        (201, OUTSIDE, [INSIDE[0], Root(8, 1, 60), INSIDE[2]], OUTSIDE),
        (201, [], [], []),
    ],
)
def test_an_uncertain_root_is_not_returned(
    pid: int,
    before: list[tuple[int, int]],
    inside: list[Root],
    after: list[tuple[int, int]],
) -> None:
    assert match_root(pid, before, inside, after) is None
