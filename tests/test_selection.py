from dataclasses import replace

import pytest

from rind.errors import SelectionError
from rind.selection import Container, require_running, select

WEB = Container("1" * 64, "web", "running", "Up 5 minutes", {"app.rind": ""})
DB = replace(WEB, id="2" * 64, name="db")
GONE = replace(WEB, state="exited", status="Exited (3) 5 minutes ago")


def test_one_is_chosen() -> None:
    assert select([WEB], [], "app.rind") is WEB
    assert select([WEB], [GONE], "app.rind") is WEB


def refusal(running: list[Container], stopped: list[Container]) -> str:
    with pytest.raises(SelectionError) as caught:
        select(running, stopped, "app.rind")
    assert caught.value.exit_status == 125
    return str(caught.value)


def test_several_are_named() -> None:
    assert refusal([WEB, DB], []) == (
        "2 running containers have the label app.rind (db, web): choose one with --container NAME"
    )


def test_a_stopped_one_is_named_with_how_to_start_it() -> None:
    assert refusal([], [GONE]) == (
        "no running container has the label app.rind "
        "(web has it, but exited (3) 5 minutes ago; start it with: docker start web)"
    )


def test_none_says_what_to_do() -> None:
    assert refusal([], []).startswith("no container has the label app.rind: put it on one")


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ("paused", "Up 5 minutes (Paused)", "is paused; resume it with: docker unpause web"),
        ("restarting", "Restarting (1) 1 second ago", "is restarting; see why"),
        ("created", "Created", "is created; start it with: docker start web"),
        ("exited", "Exited (0) 1 day ago", "exited (0) 1 day ago; start it with: docker start web"),
        ("exited", "", "is exited; start it"),
        ("dead", "Dead", "is dead; start it"),
    ],
)
def test_one_that_does_not_run(state: str, status: str, said: str) -> None:
    with pytest.raises(SelectionError, match="the container web") as caught:
        require_running(replace(WEB, state=state, status=status))
    assert said in str(caught.value)
