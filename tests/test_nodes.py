"""A swarm's tasks, on whichever node they run; the swarm is real, of two engines."""

import fcntl
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from conftest import RIND, TIMEOUT, TestEngine, one_line, wait_until

import rind

Pair = tuple[TestEngine, TestEngine]


@dataclass(frozen=True)
class TestService:
    """A running service of a stack, whose label is its own."""

    __test__ = False

    manager: TestEngine
    stack: str
    label: str

    def environ(self, **more: str) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONWARNINGS": "error"}
        return {**env, "DOCKER_HOST": self.manager.host, "RIND_LABEL": self.label, **more}

    def rind(
        self, *words: str, stdin: bytes | None = None, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [RIND, *words],
            env=self.environ(**env),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )

    def update(self, *words: str) -> None:
        self.manager.cli("service", "update", "--detach", *words, f"{self.stack}_web")


Services = Callable[..., TestService]


@pytest.fixture
def alone() -> None:
    """Keep the tests of other workers from the swarm meanwhile: what they need is changed."""


@pytest.fixture
def services(swarm: Pair, request: pytest.FixtureRequest) -> Iterator[Services]:
    """Return a function that starts a service."""
    manager, _ = swarm
    made: list[str] = []

    def make(*words: str, replicas: int = 2, command: str = "sleep 100000") -> TestService:
        stack = f"s{uuid.uuid4().hex[:8]}"
        label = f"test.{stack}"
        made.append(f"{stack}_web")
        namespace = f"com.docker.stack.namespace={stack}"
        how = () if "global" in words else ("--replicas", str(replicas))
        manager.cli(
            *("service", "create", "--quiet", "--detach", "--name", made[-1], *how),
            *("--label", namespace, "--container-label", namespace),
            *("--container-label", f"{label}=export STEP=done"),
            *("--network", "host", "--no-resolve-image", "--stop-grace-period", "0s", *words),
            *(manager.images["busybox"], *command.split()),
        )
        return TestService(manager, stack, label)

    with Path(manager.config, "swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if "alone" in request.fixturenames else fcntl.LOCK_SH)
        yield make
        if made:
            manager.cli("service", "rm", *made)


def until_running(service: TestService, count: int) -> None:
    name = f"{service.stack}_web"
    wanted = ["running"] * count

    def states() -> list[str]:
        ids = service.manager.cli("service", "ps", "--quiet", "--no-trunc", name).split()
        said = service.manager.cli("inspect", "--format", "{{.Status.State}}", *ids)
        return [state for state in said.split() if state == "running"]

    wait_until(lambda: states() == wanted)


@pytest.fixture
def spread(services: Services) -> TestService:
    """Return a service with two replicas, one on each node."""
    service = services("--replicas-max-per-node", "1")
    until_running(service, 2)
    return service


def slots(swarm: Pair, service: TestService) -> dict[str, str]:
    """Return the slots of a service's tasks, by the name of the engine that they are on."""
    return {
        engine.name: engine.cli(
            *("ps", "--filter", f"label={service.label}"),
            *("--format", '{{.Label "com.docker.swarm.task.name"}}'),
        ).split(".")[1]
        for engine in swarm
    }


def test_a_command_runs_where_the_task_is(swarm: Pair, spread: TestService) -> None:
    script = "cat; echo $STEP $1 >&2; exit 7"
    for slot in slots(swarm, spread).values():
        words = ["-p", spread.stack, "-s", "web", "--index", slot]
        done = spread.rind(*words, "-c", script, slot, stdin=b"\0\xff")
        assert (done.returncode, done.stdout) == (7, b"\0\xff")
        assert done.stderr == f"done {slot}\n".encode()
    # The name that the swarm has for it.
    done = spread.rind("-s", f"{spread.stack}_web", "--index", slots(swarm, spread)["worker"], "id")
    assert done.returncode == 0


def test_what_is_here_is_nearer(swarm: Pair, spread: TestService) -> None:
    """And the swarm is not asked."""
    done = spread.rind("-v", "true")
    here = slots(swarm, spread)["manager"]
    assert f"rind: in {spread.stack}_web.{here}." in done.stderr.decode()


def test_all_of_them(spread: TestService) -> None:
    done = spread.rind("--all", "-c", "echo $STEP")
    host = os.uname().nodename
    assert sorted(done.stdout.decode().splitlines()) == [
        f"web.{slot}@{host}  | done" for slot in ("1", "2")
    ]
    assert done.returncode == 0


def test_the_list_has_their_nodes(spread: TestService) -> None:
    listed = json.loads(spread.rind("--list", "--json").stdout)
    host = os.uname().nodename
    found = {(one["service"], one["project"], one["index"], one["node"]) for one in listed}
    assert found == {("web", spread.stack, index, host) for index in (1, 2)}
    assert b"NODE" in spread.rind("--list").stdout


def test_several_elsewhere_are_named(services: Services) -> None:
    service = services("--constraint", "node.role==worker")
    until_running(service, 2)
    done = service.rind("true")
    assert done.returncode == 125
    assert "2 running containers have the label" in one_line(done.stderr)
    assert "--index 1" in one_line(done.stderr)


@contextmanager
def started(
    service: TestService, *words: str, says: bytes = b"ready\n"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a service until it has said something."""
    with subprocess.Popen(
        [RIND, *words],
        env=service.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == says
        yield process


def test_a_signal_reaches_the_node(swarm: Pair, services: Services) -> None:
    _, worker = swarm
    service = services("--constraint", "node.role==worker", replicas=1)
    until_running(service, 1)
    with started(service, "-c", "echo ready; sleep 424243") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == -signal.SIGTERM
    container = worker.cli("ps", "--quiet", "--filter", f"label={service.label}")
    assert "424243" not in worker.cli("top", container)


def test_a_task_that_is_moved_meanwhile_is_told(services: Services) -> None:
    service = services("--constraint", "node.role==worker", replicas=1)
    until_running(service, 1)
    with started(service, "-c", "echo ready; sleep 1000") as process:
        service.update("--force")
        assert process.wait(TIMEOUT) == 137
        assert process.stderr
        said = one_line(process.stderr.read())
        assert said.startswith(f"the command was killed with its container: {service.stack}_web.1.")


def test_what_cannot_run_says_why(services: Services) -> None:
    service = services("--constraint", "node.labels.none==x", replicas=1)
    name = f"{service.stack}_web"
    wait_until(lambda: "no suitable node" in service.manager.cli("service", "ps", name))
    done = service.rind("-s", "web", "-p", service.stack, "true")
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith("no running task of the swarm has the service web and the project")
    assert "is pending: no suitable node" in said


def test_a_worker_knows_no_tasks_but_its_own(swarm: Pair, services: Services) -> None:
    _, worker = swarm
    service = services("--constraint", "node.role==manager", replicas=1)
    until_running(service, 1)
    done = service.rind("true", DOCKER_HOST=worker.host)
    assert done.returncode == 125
    assert f"no container on {worker.host} has the label" in one_line(done.stderr)


@pytest.mark.usefixtures("alone")
def test_a_node_whose_engine_nobody_names(swarm: Pair, services: Services, tmp_path: Path) -> None:
    manager, worker = swarm
    service = services("--constraint", "node.role==worker", replicas=1)
    until_running(service, 1)
    node = worker.cli("info", "--format", "{{.Swarm.NodeID}}")
    host = os.uname().nodename
    manager.cli("node", "update", "--label-rm", "app.rind.host", node)
    try:
        done = service.rind("true")
        assert done.returncode == 125
        said = one_line(done.stderr)
        assert said.endswith(
            f"docker node update --label-add app.rind.host=ssh://USER@{host} {host}"
        )
        env = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
        context = ("context", "create", host, "--docker", f"host={worker.host}")
        subprocess.run([worker.docker, *context], env=env, check=True, capture_output=True)
        done = service.rind("echo", "x", DOCKER_CONFIG=str(tmp_path))
        assert (done.returncode, done.stdout) == (0, b"x\n")
        manager.cli("node", "update", "--label-add", "app.rind.host=unix:///nowhere", node)
        done = service.rind("true")
        assert done.returncode == 125
        assert one_line(done.stderr).startswith(f"the node {host} of web.1@{host}: ")
    finally:
        manager.cli("node", "update", "--label-add", f"app.rind.host={worker.host}", node)


async def test_the_library(swarm: Pair, spread: TestService) -> None:
    manager, _ = swarm
    async with rind.connect(manager.host) as client:
        for slot in (1, 2):
            target = await client.find(service="web", project=spread.stack, index=slot)
            done = await target.run(["echo", "x"], text=True)
            assert done.stdout == "x\n"
        targets = await client.find_all(label=spread.label)
        assert [target.container.index for target in targets] == ["1", "2"]
        assert [(await target.run(["true"])).returncode for target in targets] == [0, 0]


def test_waiting_for_a_task_elsewhere(services: Services) -> None:
    service = services("--constraint", "node.role==worker", replicas=0)
    Thread(target=service.update, args=["--replicas", "1"]).start()
    with started(service, "--wait", "echo", "x", says=b"x\n") as process:
        assert process.wait(TIMEOUT) == 0


@pytest.mark.usefixtures("alone")
async def test_a_task_that_is_here_needs_no_way_to_its_node(
    swarm: Pair, spread: TestService
) -> None:
    manager, worker = swarm
    own = manager.cli("info", "--format", "{{.Swarm.NodeID}}")
    manager.cli("node", "update", "--label-rm", "app.rind.host", own)
    try:
        async with rind.connect(manager.host) as client:
            for task in await client.containers(label=spread.label):
                target = await client.reach(task, spread.label)
                assert (await target.run(["true"])).returncode == 0
            found = await client.containers(label=spread.label)
        async with rind.connect(worker.host) as client:
            [task] = [one for one in found if not one.image]
            assert (await client.reach(task)).container.id == task.id  # it is here, for the worker
            [other] = [one for one in found if one.image]
            with pytest.raises(
                rind.SelectionError, match="no node of a swarm that is managed here"
            ):
                await client.reach(other)
    finally:
        manager.cli("node", "update", "--label-add", f"app.rind.host={manager.host}", own)
