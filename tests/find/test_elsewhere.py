"""Tasks of a swarm that are not found, or lost; the swarms are real."""

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path
from typing import cast

import pytest
from bed.swarm import Swarm
from carriers import Kept
from conftest import TIMEOUT, Containers, TestEngine, one_line, wait_until
from services import Nodes, Services, TestService, labelled, on, started

import rind
from rind.base.deadline import Deadline
from rind.client import Client
from rind.decide.wanted import Wanted
from rind.endpoint.endpoint import Endpoint
from rind.engine.dialect import Dialect
from rind.engine.engine import Engine
from rind.errors import Refused
from rind.find.elsewhere import Elsewhere, seen_there
from rind.model import Caller, Container, EngineInfo, Node
from rind.transport.carrier import Answer, Request


def test_a_moved_task_is_reported(services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 1000") as process:
        service.update("--force")
        assert process.wait(TIMEOUT) == 137
        assert process.stderr
        said = one_line(process.stderr.read())
        assert said.startswith(f"the command was killed with its container: {service.name}.1.")


def test_a_task_that_cannot_run_is_explained(services: Services) -> None:
    service = services("--constraint", "node.labels.none==x", replicas=1, up=0)
    wait_until(lambda: "no suitable node" in service.manager.cli("service", "ps", service.name))
    said = service.refused("-s", "web", "-p", service.stack, "true")
    assert said.startswith("no running task of the swarm has the service web and the project")
    assert "has the state pending: no suitable node" in said


def test_a_failed_task_is_explained(services: Services) -> None:
    """The next task, which waits for its turn, has no error."""
    service = services(*on("node2"), "--restart-delay", "60s", replicas=1, command="false", up=0)
    wait_until(lambda: "failed" in service.states())
    said = service.refused("true")
    assert said.endswith("web.1@node2 has the state failed: task: non-zero exit (1)")


def test_an_ended_task_is_named(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    name = swarm[1].cli("ps", "--filter", f"label={service.label}", "--format", "{{.Names}}")
    service.update("--force")
    state = ("inspect", "--format", "{{.Status.State}}", name.rpartition(".")[2])
    # The manager learns of a container's end later than the node.
    wait_until(lambda: swarm[0].cli(*state) != "running")
    said = service.refused("--container", name, "true")
    assert said.startswith(f"no running task of the swarm has the name {name}: web.1@node2 has")


def test_a_service_without_a_task_is_reported(services: Services) -> None:
    service = services(replicas=0)
    said = service.refused("-s", "web", "-p", service.stack, "true")
    assert said.endswith(f"{service.name} has no such task; see: docker service ps {service.name}")


def test_a_worker_knows_only_its_own_tasks(swarm: Nodes, services: Services) -> None:
    service = services(*on("node1"), replicas=1)
    said = service.refused("true", host=swarm[1].host)
    assert f"no container on {swarm[1].host} has the label" in said
    assert said.endswith("a worker of a swarm; connect to a manager, which knows all tasks")


def test_a_worker_does_not_take_its_tasks_for_all_tasks(swarm: Nodes, services: Services) -> None:
    service = services("--replicas-max-per-node", "1", replicas=3)
    said = service.refused("--all", "true", host=swarm[1].host)
    assert said == (
        "only the tasks on this node are known: "
        "this engine is a worker of a swarm; connect to a manager, which knows all tasks"
    )
    done = service.rind("--list", DOCKER_HOST=swarm[1].host)
    assert (done.returncode, done.stdout.count(service.stack.encode())) == (0, 2)
    assert "of which only those on this node are known" in one_line(done.stderr)
    service.update("--replicas-max-per-node", "2", "--replicas", "6")
    wait_until(lambda: service.states().count("running") == 6)
    said = service.refused("true", host=swarm[1].host)
    assert said.startswith("2 running containers have the label ")


@pytest.mark.usefixtures("alone")
def test_a_node_without_an_address_is_reported(
    swarm: Nodes, services: Services, tmp_path: Path
) -> None:
    manager, worker, _ = swarm
    service = services(*on("node2"), replicas=1)
    with labelled(manager, worker, "--label-rm", "app.rind.host"):
        assert service.refused("true") == (
            "web.1@node2 runs on the node node2, whose engine has no address; set it with: "
            "docker node update --label-add app.rind.host=ssh://USER@node2 node2"
        )
        env = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
        context = ("context", "create", "node2", "--docker", f"host={worker.host}")
        subprocess.run([worker.docker, *context], env=env, check=True, capture_output=True)
        done = service.rind("echo", "x", DOCKER_CONFIG=str(tmp_path))
        assert (done.returncode, done.stdout) == (0, b"x\n")
        explained = service.rind("--explain", DOCKER_CONFIG=str(tmp_path)).stdout.decode()
        assert explained.splitlines()[-1].startswith("docker --context node2 exec")


@pytest.mark.usefixtures("alone")
def test_a_wrong_engine_address_of_a_node_is_reported(swarm: Nodes, services: Services) -> None:
    manager, worker, other = swarm
    service = services(*on("node2"), replicas=1)
    with labelled(manager, worker, "--label-add", "app.rind.host=unix:///nowhere"):
        said = service.refused("true")
        assert said.startswith("the node node2 of web.1@node2: ")
        assert said in service.rind("--doctor").stdout.decode()
        # The error may be temporary.
        assert service.refused("--wait=1", "true") == f"waited for 1 s: {said}"
    with labelled(manager, worker, "--label-add", f"app.rind.host={other.host}"):
        said = service.refused("--wait", "true")
        assert said == (
            f"web.1@node2 is not on {other.host}: that is not the engine of the "
            "node node2; correct the label app.rind.host"
        )
    with labelled(manager, worker, "--label-add", "app.rind.host=gopher://x"):
        said = service.refused("true")
        assert said.startswith("web.1@node2 runs on the node node2: ")
        assert "(from the label app.rind.host)" in said


@pytest.mark.usefixtures("alone")
async def test_a_failure_on_one_node_leaves_no_task_behind(
    swarm: Nodes, spread: TestService
) -> None:
    manager, *_, node = swarm
    with labelled(manager, node, "--label-rm", "app.rind.host"):
        async with rind.connect(manager.host) as client:
            with pytest.raises(rind.SelectionError, match="runs on the node node3"):
                await client.find_all(label=spread.label)
            assert asyncio.all_tasks() == {asyncio.current_task()}


def until_node_is(manager: TestEngine, node: TestEngine, state: str) -> None:
    wait_until(
        lambda: manager.cli("node", "inspect", "--format", "{{.Status.State}}", node.name) == state
    )


@pytest.mark.usefixtures("alone")
def test_a_node_that_is_down_is_reported(swarm: Nodes, services: Services) -> None:
    manager, *_, node = swarm
    service = services(*on("node3"), replicas=1)
    try:
        with started(service, "-c", "echo ready; sleep 1000") as process:
            Swarm.kill_node(node.name)
            assert process.wait(TIMEOUT) == 125
            assert process.stderr
            said = one_line(process.stderr.read())
            assert said.startswith("the engine went away: the command may still be running in ")
        until_node_is(manager, node, "down")
        said = service.refused("true")
        assert said.startswith("no running task of the swarm has the label")
        assert "has the state pending: no suitable node" in said
    finally:
        Swarm.start_node(node.name)
        until_node_is(manager, node, "ready")
    wait_until(lambda: service.states().count("running") == 1)
    assert service.printed("-c", "echo $STEP") == "done\n"


def test_a_manager_without_a_quorum_offers_local_containers(leaderless: Containers) -> None:
    """Local containers can be used, but a service may have more tasks elsewhere."""
    plain = leaderless("busybox", "export STEP=done")
    wait_until(lambda: plain.engine.cli("node", "ls", "--quiet", check=False) == "")
    for words in ([], ["--all"]):
        done = plain.rind(*words, "-c", "echo $STEP")
        assert (done.returncode, done.stderr) == (0, b"")
    done = plain.rind("-s", "nobody", "true")
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith(f"no container on {plain.engine.host} has the service nobody")
    assert "; the swarm does not answer: The swarm does not have a leader." in said
    task = leaderless("busybox", "", "--label", "com.docker.swarm.task.name=shop_web.1.x")
    assert task.rind("true").returncode == 0
    done = task.rind("--all", "true")
    assert done.returncode == 125
    assert "The swarm does not have a leader." in one_line(done.stderr)


class Other:
    """An engine that has a container with the ID that a manager returned, or refuses."""

    def __init__(self, *labels: str, refuses: int = 0) -> None:
        self.labels = dict(label.split("=") for label in labels)
        self.refuses = refuses

    async def container(self, name: str) -> Container:
        if self.refuses:
            raise Refused(self.refuses, "so")
        return Container(name, "shop_web.1.x", "running", "Up", self.labels)

    async def info(self) -> EngineInfo:
        return EngineInfo("28.5.2")


NODE = Node("1" * 25, "node2", "ready")
TASK = Container("0" * 64, "shop_web.1.x", "running", "", {}, node="node2")
WHERE = Endpoint("unix:///x", "the label app.rind.host")


async def test_a_manager_cannot_pass_off_a_container_as_a_task() -> None:
    own = Other(f"com.docker.swarm.node.id={NODE.id}")
    assert (await seen_there(cast("Engine", own), TASK, NODE, WHERE)).node == "node2"
    for other in (Other(), Other("com.docker.swarm.node.id=2"), Other(refuses=404)):
        with pytest.raises(rind.SelectionError, match="x: that is not the engine"):
            await seen_there(cast("Engine", other), TASK, NODE, WHERE)
    with pytest.raises(Refused, match="403"):
        await seen_there(cast("Engine", Other(refuses=403)), TASK, NODE, WHERE)


class Recorded(Kept):
    """Records the requests."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.paths: list[str] = []

    async def request(self, request: Request, deadline: Deadline) -> Answer:
        self.paths.append(request.path)
        return await super().request(request, deadline)


async def test_a_local_task_needs_no_manager(services: Services) -> None:
    service = services(*on("node1"), replicas=1)
    carrier = Recorded(service.manager.host)
    engine = Engine(Endpoint(service.manager.host, "the test"), carrier)
    async with Client(engine, Caller(cwd="/"), {}) as client:
        await client.find(label=service.label)
        assert not any(path.endswith("/services") for path in carrier.paths)
        await client.find_all(label=service.label)
        assert any(path.endswith("/services") for path in carrier.paths)


async def test_task_labels_without_a_swarm_are_ignored(containers: Containers) -> None:
    labels = ("--label", "com.docker.swarm.task.name=shop_web.1.x")
    task = containers("busybox", "", *labels)
    assert task.rind("--all", "echo", "x").stdout == f"{task.name}  | x\n".encode()


class Leaderless(Kept):
    """Answers as a manager without a leader."""

    async def request(self, _request: Request, _deadline: Deadline) -> Answer:
        said = "rpc error: code = Unknown desc = The swarm does not have a leader."
        return Answer(500, body=json.dumps({"message": said}).encode())


async def test_a_leaderless_manager_is_a_manager() -> None:
    """So --wait asks it again."""
    async with Engine(WHERE, Leaderless(WHERE.url), Dialect()) as engine:
        elsewhere = Elsewhere(engine, {})
        missing = rind.SelectionError("there is none")
        said = "there is none; the swarm does not answer: The swarm does not have a leader."
        with pytest.raises(rind.SelectionError, match=re.escape(said)):
            await elsewhere.in_place_of(missing, Wanted())
        assert elsewhere.is_managed
