import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.engine.manager import read_nodes, read_services, read_tasks
from rind.model import Node, Service, Task
from rind.transport.carrier import WrongAnswer

ID = "aohp5pu9n62b981vo8x3ut6vf"
NODE: dict[str, Any] = {
    "ID": ID,
    "Spec": {"Labels": {"app.rind.host": "ssh://me@two"}, "Role": "worker"},
    "Description": {"Hostname": "two"},
    "Status": {"State": "ready"},
}
SERVICE: dict[str, Any] = {
    "ID": ID,
    "Spec": {
        "Name": "shop_web",
        "Labels": {"a": "b"},
        "TaskTemplate": {"ContainerSpec": {"Labels": {"app.rind": "x"}}},
    },
}
TASK: dict[str, Any] = {
    "ID": ID,
    "ServiceID": ID,
    "NodeID": ID,
    "Slot": 2,
    "DesiredState": "running",
    "Spec": {"ContainerSpec": {"Labels": {"app.rind": ""}, "Image": "web:1@sha256:00"}},
    "CreatedAt": "1970-01-01T00:01:00.123456789Z",
    "Status": {
        "State": "running",
        "Timestamp": "2026-11-27T09:51:11Z",
        "ContainerStatus": {"ContainerID": "0" * 64},
    },
}


def read(node: object = NODE, service: object = SERVICE, task: object = TASK) -> tuple[Any, ...]:
    readers = (read_nodes, node), (read_services, service), (read_tasks, task)
    return tuple(read(json.dumps([part]).encode())[0] for read, part in readers)


def test_a_managers_answers_are_read() -> None:
    time = "2026-11-27T09:51:11Z"
    assert read() == (
        Node(ID, "two", "ready", "ssh://me@two"),
        Service(ID, "shop_web", {"a": "b"}, {"app.rind": "x"}),
        Task(
            ID, ID, ID, 2, "running", "running", "", "0" * 64, {"app.rind": ""}, "web:1", 60, time
        ),
    )


def test_a_task_may_lack_a_node_or_a_container() -> None:
    status = {"State": "pending", "Err": "no suitable node"}
    _, _, task = read(task={"ID": ID, "ServiceID": ID, "Status": status})
    assert (task.node_id, task.slot, task.container_id) == ("", 0, "")
    assert (task.state, task.error) == ("pending", "no suitable node")


@pytest.mark.parametrize("time", ["", "x", "0001-01-01T00:00:00Z", "1960-01-01T00:00:00Z"])
def test_an_invalid_time_is_read_as_0(time: str) -> None:
    _, _, task = read(task={**TASK, "CreatedAt": time})
    assert task.created == 0


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a b", "", "x\n"])
def test_an_invalid_host_name_is_read_as_empty(name: str) -> None:
    node, _, _ = read(node={**NODE, "Description": {"Hostname": name}})
    assert node.hostname == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": {**TASK, "ID": "x"}},
        {"task": {**TASK, "Slot": -1}},
        {"task": {**TASK, "Status": {"ContainerStatus": {"ContainerID": "../x"}}}},
        {"service": {"ID": ID, "Spec": {"Name": "a\x1bb"}}},
        {"node": {**NODE, "Status": "ready"}},
        {"node": 7},
    ],
)
def test_an_invalid_swarm_answer_is_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongAnswer):
        read(**wrong)


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists), st.sampled_from([*TASK]))
def test_any_value_is_read_or_rejected(value: object, field: str) -> None:
    task = deepcopy(TASK)
    task[field] = value
    with suppress(WrongAnswer):
        read(task=task)
