"""What a container's events say of a killed command; real ones are in test_target.py."""

import pytest

from rind.execution.ending import ending


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([], (None, False)),
        (["kill"], (None, False)),
        (["oom"], ("out of memory", False)),
        (["oom", "die"], ("out of memory", True)),
        (["kill", "die"], ("killed", True)),
        (["kill", "die", "stop"], ("stopped", True)),
        (["kill", "stop", "die"], ("stopped", True)),
        (["kill", "kill", "die", "destroy"], ("removed", True)),
        (["die"], ("ended", True)),
    ],
)
def test_the_ending(actions: list[str], told: tuple[str | None, bool]) -> None:
    assert ending(actions) == told
