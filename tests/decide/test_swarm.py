import pytest

from rind.decide.selection import Wanted
from rind.decide.swarm import last_error, node_of, tasks_up
from rind.model import STACK
from rind.swarm_model import Node, Service, Swarm, Task

NODES = {
    "n1": Node("n1", "one", "ready"),
    "n2": Node("n2", "two", "ready", "ssh://me@two"),
    "n3": Node("n3", "three", "down"),
}
SERVICES = {
    "s1": Service("s1", "shop_web", {STACK: "shop"}),
    "s2": Service("s2", "db", {}),
    "s3": Service("s3", "agent", {}),
}


def task(number: int, service: str, node: str, slot: int, how: str = "running") -> Task:
    state, _, error = how.partition(": ")
    labels = {"app.rind": ""} if service == "s1" else {}
    container = f"{number:064x}"
    changed = f"2026-11-27T10:00:{number:02}Z"
    return Task(f"t{number}", service, node, slot, state, error, container, labels, changed)


SWARM = Swarm(
    NODES,
    SERVICES,
    [
        task(1, "s1", "n1", 1),
        task(2, "s1", "n2", 2),
        task(3, "s1", "n3", 3),
        task(4, "s1", "n1", 4, "failed: exit 1"),
        task(5, "s2", "n1", 1, "rejected: No such image: x"),
        task(6, "s3", "n1", 0),
        task(7, "s3", "n2", 0),
        task(8, "gone", "n1", 1),
    ],
)


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (Wanted(), ["web.1@one", "web.2@two"]),
        (Wanted(service="web"), ["web.1@one", "web.2@two"]),
        (Wanted(service="shop_web", project="shop"), ["web.1@one", "web.2@two"]),
        (Wanted(service="web", project="other"), []),
        (Wanted(project="shop", index=2), ["web.2@two"]),
        (Wanted(service="agent"), ["agent@one", "agent@two"]),
        (Wanted(service="db"), []),
        (Wanted(label="other"), []),
    ],
)
def test_tasks_that_fit(wanted: Wanted, titles: list[str]) -> None:
    assert [container.title for container in tasks_up(SWARM, wanted)] == titles


def test_a_task_is_named_as_its_container_is() -> None:
    _, second = tasks_up(SWARM, Wanted(service="web"))
    assert second.name == "shop_web.2.t2"
    assert (second.service, second.project, second.index) == ("web", "shop", "2")
    assert node_of(SWARM, second) is NODES["n2"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(service="db"), "db.1@one is rejected: No such image: x"),
        (Wanted(service="web", index=3), "web.3@three, but its node is down"),
        (Wanted(service="web", index=4), "web.4@one is failed: exit 1"),
        (Wanted(service="nope"), ""),
    ],
)
def test_why_none_runs(wanted: Wanted, said: str) -> None:
    assert last_error(SWARM, wanted) == said
