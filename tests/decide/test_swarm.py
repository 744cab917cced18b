import pytest

from rind.base.records import replace
from rind.decide.swarm import (
    has_wanted,
    is_name,
    last_error,
    merged,
    node_id_of,
    starting,
    tasks_up,
)
from rind.decide.wanted import Wanted
from rind.model import STACK, Container, Node, Service, Swarm, Task

ONE, TWO, THREE = ("1" * 25, "2" * 25, "3" * 25)
NODES = {
    ONE: Node(ONE, "one", "ready"),
    TWO: Node(TWO, "two", "ready", "ssh://me@two"),
    THREE: Node(THREE, "three", "down"),
}
WEB = Service("web", "shop_web", {STACK: "shop"}, {"app.rind": ""})
DB = Service("db", "db", {}, {})
STOPPING = 7
AGENT = Service("agent", "agent", {}, {})


def task(number: int, service: Service, node: str, slot: int, how: str = "running") -> Task:
    state, _, error = how.partition(": ")
    container = f"{number:064x}"
    changed = f"2026-11-27T10:00:{number:02}Z"
    labels = service.container_labels
    rest = container, labels, "web:1", 60, changed
    desired = "shutdown" if slot == STOPPING else "running"
    return Task(f"t{number}", service.id, node, slot, state, desired, error, *rest)


def swarm(*services: Service) -> Swarm:
    tasks = [
        task(1, WEB, ONE, 1),
        task(2, WEB, TWO, 2),
        task(3, WEB, THREE, 3),
        task(4, WEB, ONE, 4, "failed: exit 1"),
        task(5, WEB, ONE, 4, "preparing"),
        task(6, DB, ONE, 1, "rejected: No such image: x"),
        task(9, WEB, TWO, 6, "starting"),
        task(10, WEB, TWO, STOPPING),
        task(7, AGENT, ONE, 0),
        task(8, AGENT, TWO, 0),
    ]
    ids = {service.id for service in services}
    found = [one for one in tasks if one.service_id in ids]
    return Swarm(NODES, {service.id: service for service in services}, found)


@pytest.mark.parametrize(
    ("wanted", "services"),
    [
        (Wanted(), [WEB]),
        (Wanted(service="web"), [WEB]),
        (Wanted(service="shop_web", project="shop"), [WEB]),
        (Wanted(service="web", project="other"), []),
        (Wanted(project="shop"), [WEB]),
        (Wanted(service="agent"), [AGENT]),
        (Wanted(label="other"), []),
        (Wanted(container="shop_web.2.t2"), [WEB]),
        (Wanted(container="shop_web"), [WEB]),  # no container has this name
        (Wanted(container="web.2@two"), [WEB]),
        (Wanted(container="0" * 12), [WEB, DB, AGENT]),
    ],
)
def test_services_are_selected(wanted: Wanted, services: list[Service]) -> None:
    assert [one for one in (WEB, DB, AGENT) if has_wanted(one, wanted)] == services


@pytest.mark.parametrize(
    ("wanted", "service", "titles"),
    [
        (Wanted(), WEB, ["web.1@one", "web.2@two", "web.6@two", "web.7@two"]),
        (Wanted(project="shop", index=2), WEB, ["web.2@two"]),
        (Wanted(container="shop_web.2.t2"), WEB, ["web.2@two"]),
        (Wanted(container="shop_web.2.t3"), WEB, []),
        (Wanted(container="web.2@two"), WEB, ["web.2@two"]),
        (Wanted(container=f"{1:064x}"), WEB, ["web.1@one"]),
        (Wanted(container="f" * 12), WEB, []),
        (Wanted(index=6), WEB, ["web.6@two"]),
        (Wanted(service="agent"), AGENT, ["agent@one", "agent@two"]),
        (Wanted(service="agent", index="two"), AGENT, ["agent@two"]),
        (Wanted(service="agent", index=2), AGENT, []),
        (Wanted(service="db"), DB, []),
    ],
)
def test_tasks_are_selected(wanted: Wanted, service: Service, titles: list[str]) -> None:
    assert [container.title for container in tasks_up(swarm(service), wanted)] == titles


def test_a_task_has_its_containers_name() -> None:
    _, second, *_ = tasks_up(swarm(WEB), Wanted(service="web"))
    assert second.name == "shop_web.2.t2"
    assert (second.service, second.project, second.index) == ("web", "shop", "2")
    assert node_id_of(second) == TWO
    assert second.is_task
    assert is_name(second.name)


def test_a_global_services_task_has_its_node_as_index() -> None:
    """It is the node's ID if its name was not requested; a hostile label is ignored."""
    name = f"agent.{ONE}.t7"
    labels = {"com.docker.swarm.task.name": name, "com.docker.swarm.node.id": ONE}
    assert Container("", name, "running", "", labels).index == ONE
    assert Container("", name, "running", "", labels, node="one").index == "one"
    odd = {"com.docker.swarm.task.name": "a.\x1b.t", "com.docker.swarm.node.id": "\x1b"}
    assert Container("", "a", "running", "", odd, node="one").index == ""


def test_local_tasks_get_their_node_and_stopping_ones_are_dropped() -> None:
    known = swarm(WEB)
    first, *others = tasks_up(known, Wanted())
    here = replace(first, node="", status="Up")
    stopped = replace(here, id="f" * 64)
    compose = Container("c" * 64, "shop-web-1", "running", "Up", {"app.rind": ""})
    found = merged([here, stopped, compose], known, Wanted())
    assert found == [replace(here, node="one"), compose, *others]


def test_tasks_that_will_run_soon_are_returned() -> None:
    assert [container.title for container in starting(swarm(WEB), Wanted())] == [
        "web.4@one",
        "web.6@two",
    ]
    assert starting(swarm(WEB), Wanted(index=2)) == []


@pytest.mark.parametrize(
    ("wanted", "service", "said"),
    [
        (Wanted(service="db"), DB, "db.1@one has the state rejected: No such image: x"),
        (Wanted(service="web", index=3), WEB, "web.3@three has it, but its node is down"),
        (Wanted(service="web", index=4), WEB, "web.4@one has the state failed: exit 1"),
        (Wanted(service="web", index=STOPPING), WEB, "web.7@two is being stopped"),
        (
            Wanted(service="web", index=5),
            WEB,
            "shop_web has no such task; see: docker service ps shop_web",
        ),
    ],
)
def test_the_reason_why_no_task_runs_is_reported(
    wanted: Wanted, service: Service, said: str
) -> None:
    assert last_error(swarm(service), wanted) == said
