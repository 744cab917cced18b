"""A swarm's tasks, on whichever node they run; the swarm is real, of three engines."""

import fcntl
import json
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pexpect
import pytest
from bed.swarm import Swarm
from conftest import RIND, TIMEOUT, Containers, TestEngine, one_line, wait_until

import rind

Nodes = list[TestEngine]


@dataclass(frozen=True)
class TestService:
    """A service of a stack, whose label is its own."""

    __test__ = False

    manager: TestEngine
    stack: str
    label: str

    @property
    def name(self) -> str:
        return f"{self.stack}_web"

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

    def refused(self, *words: str, host: str = "") -> str:
        """Return what is said where nothing could be run."""
        done = self.rind(*words, DOCKER_HOST=host or self.manager.host)
        assert (done.returncode, done.stdout) == (125, b"")
        return one_line(done.stderr)

    def printed(self, *words: str) -> str:
        done = self.rind(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def spawn(self, *words: str) -> "pexpect.spawn[bytes]":
        """Run rind on a terminal."""
        env = self.environ(TERM="xterm")
        return pexpect.spawn(RIND, [*words], env=env, timeout=TIMEOUT, dimensions=(24, 120))

    def update(self, *words: str) -> None:
        self.manager.cli("service", "update", "--detach", *words, self.name)

    def states(self) -> list[str]:
        """Return the states of its tasks, the past ones too."""
        ids = self.manager.cli("service", "ps", "--quiet", "--no-trunc", self.name).split()
        state = ("inspect", "--format", "{{.Status.State}}")
        return self.manager.cli(*state, *ids).split() if ids else []


Services = Callable[..., TestService]


@pytest.fixture
def alone() -> None:
    """Keep the tests of other workers from the swarm meanwhile: what they need is changed."""


@pytest.fixture
def services(swarm: Nodes, request: pytest.FixtureRequest) -> Iterator[Services]:
    """Return a function that starts a service."""
    manager, *_ = swarm
    made: list[str] = []

    def make(
        *words: str, replicas: int = 2, command: str = "sleep 100000", up: int | None = None
    ) -> TestService:
        stack = f"s{uuid.uuid4().hex[:8]}"
        service = TestService(manager, stack, f"test.{stack}")
        made.append(service.name)
        namespace = f"com.docker.stack.namespace={stack}"
        how = () if "global" in words else ("--replicas", str(replicas))
        manager.cli(
            *("service", "create", "--quiet", "--detach", "--name", service.name, *how),
            *("--label", namespace, "--container-label", namespace),
            *("--container-label", f"{service.label}=export STEP=done"),
            *("--network", "host", "--no-resolve-image", "--stop-grace-period", "0s", *words),
            *(manager.images["busybox"], *command.split()),
        )
        wanted = replicas if up is None else up
        wait_until(lambda: service.states().count("running") == wanted)
        return service

    with Path(manager.config, "swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if "alone" in request.fixturenames else fcntl.LOCK_SH)
        yield make
        if made:
            manager.cli("service", "rm", *made)


@pytest.fixture
def spread(services: Services) -> TestService:
    """Return a service with three replicas, one on each node."""
    return services("--replicas-max-per-node", "1", replicas=3)


def on(node: str) -> tuple[str, str]:
    """Return the words that make a service's tasks run on a node."""
    return "--constraint", f"node.hostname=={node}"


def slots(swarm: Nodes, service: TestService) -> dict[str, str]:
    """Return the slots of a service's tasks, by their nodes' names."""
    return {
        engine.name: engine.cli(
            *("ps", "--filter", f"label={service.label}"),
            *("--format", '{{.Label "com.docker.swarm.task.name"}}'),
        ).split(".")[1]
        for engine in swarm
    }


def test_a_command_runs_where_the_task_is(swarm: Nodes, spread: TestService) -> None:
    script = "cat; echo $STEP $1 >&2; exit 7"
    for slot in slots(swarm, spread).values():
        words = ["-p", spread.stack, "-s", "web", "--index", slot]
        done = spread.rind(*words, "-c", script, slot, stdin=b"\0\xff")
        assert (done.returncode, done.stdout) == (7, b"\0\xff")
        assert done.stderr == f"done {slot}\n".encode()


def test_each_name_that_a_task_has(swarm: Nodes, spread: TestService) -> None:
    """The service's name is the swarm's, too; the task's is its container's, as --list has it."""
    slot = slots(swarm, spread)["node2"]
    assert spread.printed("-s", spread.name, "--index", slot, "-c", "echo $STEP") == "done\n"
    name = swarm[1].cli("ps", "--filter", f"label={spread.label}", "--format", "{{.Names}}")
    assert name in spread.printed("--list")
    assert spread.printed("--container", name, "-c", "echo $STEP") == "done\n"
    assert "No such container: web.1.x" in spread.refused("--container", "web.1.x", "true")


def test_what_is_here_is_nearer(swarm: Nodes, spread: TestService) -> None:
    done = spread.rind("-v", "true")
    here = slots(swarm, spread)["node1"]
    said = f"rind: in {spread.name}.{here}."
    assert said in done.stderr.decode()
    assert f" on {swarm[0].host}: " in done.stderr.decode()
    there = slots(swarm, spread)["node2"]
    assert f" on {swarm[1].host}: " in spread.rind("-v", "--index", there, "true").stderr.decode()


def test_a_global_services_task_is_its_nodes(swarm: Nodes, services: Services) -> None:
    service = services("--mode", "global", up=3)
    for node in swarm:
        done = service.rind("-v", "--index", node.name, "-c", "echo $STEP")
        assert (done.returncode, done.stdout) == (0, b"done\n")
        assert f" on {node.host}: " in done.stderr.decode()
        number = node.cli("info", "--format", "{{.Swarm.NodeID}}")
    said = sorted(service.printed("--all", "echo", "x").splitlines())
    assert said == [f"web@{node.name}  | x" for node in swarm]
    # As the engine there names it, which has not asked for the nodes.
    assert service.rind("--index", number, "true", DOCKER_HOST=node.host).returncode == 0
    listed = json.loads(service.printed("--list", "--json"))
    assert {one["index"] for one in listed} == {"node1", "node2", "node3"}
    assert "the index node9" in service.refused("--index", "node9", "true")


def test_all_of_them(spread: TestService) -> None:
    done = spread.rind("--all", "-c", "echo $STEP; hostname")
    said = sorted(done.stdout.decode().splitlines())
    nodes = [line.partition("  | ")[0].partition("@")[2] for line in said]
    assert [line.partition("@")[0] for line in said] == [f"web.{n}" for n in (1, 1, 2, 2, 3, 3)]
    assert sorted(nodes) == ["node1", "node1", "node2", "node2", "node3", "node3"]
    assert done.returncode == 0


def test_the_list_has_their_nodes(spread: TestService) -> None:
    listed = json.loads(spread.printed("--list", "--json"))
    found = {(one["service"], one["project"], one["index"]) for one in listed}
    assert found == {("web", spread.stack, index) for index in (1, 2, 3)}
    assert {one["node"] for one in listed} == {"node1", "node2", "node3"}
    assert "NODE" in spread.printed("--list")


def test_several_elsewhere_are_named(services: Services) -> None:
    service = services(*on("node2"))
    said = service.refused("true")
    assert "2 running containers have the label" in said
    assert "--index 1" in said


def test_the_local_ones_are_not_all_that_can_be_chosen(services: Services) -> None:
    service = services("--replicas-max-per-node", "2", "--constraint", "node.hostname!=node3")
    service.update("--replicas", "4")
    wait_until(lambda: service.states().count("running") == 4)
    said = service.refused("true")
    assert "4 running containers" in said
    for index in (1, 2, 3, 4):
        assert f"--index {index} (" in said


def test_the_picker_has_the_nodes(services: Services) -> None:
    service = services(*on("node3"))
    rind = service.spawn("-c", "echo $STEP; tty")
    rind.expect_exact(b"NODE")
    rind.expect_exact(b"node3")
    rind.send("\x1b[B\r")
    rind.expect_exact(b"done\r\n")
    rind.expect(rb"/dev/(pts/\d+|console)\r\n")
    rind.expect(pexpect.EOF)
    rind.close()
    assert rind.exitstatus == 0


def test_a_terminal_there_has_this_ones_size(services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    script = "stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"
    rind = service.spawn("-c", script)
    rind.expect_exact(b"24 120\r\nready\r\n")
    rind.setwinsize(30, 90)
    rind.expect_exact(b"30 90\r\n")
    rind.expect(pexpect.EOF)


def test_the_labels_there_say_how_commands_run(services: Services) -> None:
    label = f"test.{uuid.uuid4().hex}"
    own = [
        word
        for name, value in {"user": "1000", "workdir": "/etc", "env.X": "from the label"}.items()
        for word in ("--container-label", f"{label}.{name}={value}")
    ]
    service = services(*on("node2"), "--container-label", f"{label}=Y=step", *own, replicas=1)
    script = 'id -u; pwd; echo "$X $Y"'
    done = service.rind("--label", label, "-c", script)
    assert done.stdout == b"1000\n/etc\nfrom the label step\n"


def test_what_is_explained_can_be_pasted(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    said = service.printed("--explain", "-c", "echo $STEP").splitlines()
    assert said[0] == f"engine:    {swarm[1].host} (from its label app.rind.host)"
    assert said[1].startswith(f"container: {service.name}.1.")
    path = f"{Path(swarm[0].docker).parent}:{os.environ['PATH']}"
    words = ["env", f"PATH={path}", "bash", "-c", said[-1]]
    done = subprocess.run(words, capture_output=True, check=True)
    assert done.stdout == b"done\n"


def offered(service: TestService, *words: str) -> list[str]:
    return service.printed("--complete", "zsh", *words).splitlines()


def test_services_and_replicas_are_completed(services: Services) -> None:
    service = services(*on("node2"))
    assert service.name.removeprefix(f"{service.stack}_") in offered(service, "-s", "w")
    assert service.stack in offered(service, "-p", service.stack[:3])
    assert offered(service, "-s", service.name, "--index", "") == ["1", "2"]
    assert len(offered(service, "--container", f"{service.name}.")) == 2
    assert "busybox" in offered(service, "-s", "web", "-p", service.stack, "--index", "1", "busyb")


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


def running(node: TestEngine, service: TestService) -> str:
    """Return the containers of a service on a node."""
    return node.cli("ps", "--quiet", "--filter", f"label={service.label}")


def is_running(node: TestEngine, service: TestService, mark: str) -> bool:
    """Whether a service's only container on a node has such a process."""
    return mark in node.cli("top", running(node, service))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_node(swarm: Nodes, services: Services, number: int) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 424243") as process:
        assert is_running(swarm[1], service, "424243")
        process.send_signal(number)
        assert process.wait(TIMEOUT) == -number
    assert not is_running(swarm[1], service, "424243")


def test_nothing_is_left_there_when_rind_is_killed(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 424243") as process:
        wait_until(lambda: is_running(swarm[1], service, "rind-leash"))
        process.kill()
    wait_until(lambda: not is_running(swarm[1], service, "424243"))
    wait_until(lambda: not is_running(swarm[1], service, "rind-leash"))


def test_a_time_limit_holds_there(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    assert service.rind("--timeout", "3", "sleep", "424243").returncode == 124
    assert not is_running(swarm[1], service, "424243")


def test_what_is_detached_runs_on_there(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    assert service.printed("--detach", "sleep", "424243") == ""
    assert is_running(swarm[1], service, "424243")
    rind = service.spawn("--detach-keys", "ctrl-a", "-c", "echo ready; sleep 1000")
    rind.expect_exact(b"ready")
    rind.send("\x01")
    rind.expect_exact(f"find it with: docker --host {swarm[1].host} top {service.name}.1.".encode())


def test_waiting_for_a_task_elsewhere(services: Services) -> None:
    service = services(*on("node2"), replicas=0)
    Thread(target=service.update, args=["--replicas", "1"]).start()
    with started(service, "--wait", "echo", "x", says=b"x\n") as process:
        assert process.wait(TIMEOUT) == 0


def test_waiting_for_all_waits_for_those_that_start(services: Services) -> None:
    """A task runs when it is healthy; here it never is, nor unhealthy."""
    health = ("--health-cmd", "false", "--health-start-period", "1000s")
    service = services(*health, "--replicas-max-per-node", "1", replicas=3, up=0)
    wait_until(lambda: service.states() == ["starting"] * 3)
    said = service.refused("--all", "--wait=2", "true")
    assert re.fullmatch(r"waited for 2 s: web\.\d@node\d is starting", said)


# --- what goes wrong --------------------------------------------------------------------------


def test_a_task_that_is_moved_meanwhile_is_told(services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 1000") as process:
        service.update("--force")
        assert process.wait(TIMEOUT) == 137
        assert process.stderr
        said = one_line(process.stderr.read())
        assert said.startswith(f"the command was killed with its container: {service.name}.1.")


def test_what_cannot_run_says_why(services: Services) -> None:
    service = services("--constraint", "node.labels.none==x", replicas=1, up=0)
    wait_until(lambda: "no suitable node" in service.manager.cli("service", "ps", service.name))
    said = service.refused("-s", "web", "-p", service.stack, "true")
    assert said.startswith("no running task of the swarm has the service web and the project")
    assert "is pending: no suitable node" in said


def test_what_has_failed_says_why(services: Services) -> None:
    """The task that waits for its turn after that has no error."""
    service = services(*on("node2"), "--restart-delay", "60s", replicas=1, command="false", up=0)
    wait_until(lambda: "failed" in service.states())
    said = service.refused("true")
    assert said.endswith("web.1@node2 is failed: task: non-zero exit (1)")


def test_a_service_without_a_task(services: Services) -> None:
    service = services(replicas=0)
    said = service.refused("-s", "web", "-p", service.stack, "true")
    assert said.endswith(f"{service.name} has no such task; see: docker service ps {service.name}")


def test_a_worker_knows_no_tasks_but_its_own(swarm: Nodes, services: Services) -> None:
    service = services(*on("node1"), replicas=1)
    said = service.refused("true", host=swarm[1].host)
    assert f"no container on {swarm[1].host} has the label" in said
    assert said.endswith("a worker of its swarm: a manager knows what runs elsewhere")


@contextmanager
def labelled(manager: TestEngine, node: TestEngine, *words: str) -> Iterator[None]:
    """Change a node's label, and put it right at the end."""
    try:
        manager.cli("node", "update", *words, node.name)
        yield
    finally:
        put_right = f"app.rind.host={node.host}"
        manager.cli("node", "update", "--label-add", put_right, node.name)


@pytest.mark.usefixtures("alone")
def test_a_node_whose_engine_nobody_names(swarm: Nodes, services: Services, tmp_path: Path) -> None:
    manager, worker, _ = swarm
    service = services(*on("node2"), replicas=1)
    with labelled(manager, worker, "--label-rm", "app.rind.host"):
        assert service.refused("true") == (
            "web.1@node2 runs on the node node2; say how to reach the engine there with: "
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
def test_a_node_whose_engine_is_elsewhere(swarm: Nodes, services: Services) -> None:
    manager, worker, other = swarm
    service = services(*on("node2"), replicas=1)
    with labelled(manager, worker, "--label-add", "app.rind.host=unix:///nowhere"):
        said = service.refused("true")
        assert said.startswith("the node node2 of web.1@node2: ")
    with labelled(manager, worker, "--label-add", f"app.rind.host={other.host}"):
        said = service.refused("true")
        assert said == (
            f"web.1@node2 is not on {other.host}: that is another engine than the one of the "
            "node node2; correct its label app.rind.host"
        )
    with labelled(manager, worker, "--label-add", "app.rind.host=gopher://x"):
        assert "its label app.rind.host" in service.refused("true")


def until_node_is(manager: TestEngine, node: TestEngine, state: str) -> None:
    wait_until(
        lambda: manager.cli("node", "inspect", "--format", "{{.Status.State}}", node.name) == state
    )


@pytest.mark.usefixtures("alone")
def test_a_node_that_is_down(swarm: Nodes, services: Services) -> None:
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
        assert "is pending: no suitable node" in said
    finally:
        Swarm.start_node(node.name)
        until_node_is(manager, node, "ready")
    wait_until(lambda: service.states().count("running") == 1)
    assert service.printed("-c", "echo $STEP") == "done\n"


def test_a_manager_without_a_quorum(leaderless: Containers) -> None:
    """What is here can be used; but of a service, there may be more elsewhere."""
    plain = leaderless("busybox", "export STEP=done")
    wait_until(lambda: plain.engine.cli("node", "ls", "--quiet", check=False) == "")
    for words in ([], ["--all"]):
        done = plain.rind(*words, "-c", "echo $STEP")
        assert (done.returncode, done.stderr) == (0, b"")
    done = plain.rind("-s", "nobody", "true")
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith(f"no container on {plain.engine.host} has the service nobody")
    assert "; the swarm cannot be asked: The swarm does not have a leader." in said
    task = leaderless("busybox", "", "--label", "com.docker.swarm.task.name=shop_web.1.x")
    assert task.rind("true").returncode == 0
    done = task.rind("--all", "true")
    assert done.returncode == 125
    assert "The swarm does not have a leader." in one_line(done.stderr)


# --- the library ------------------------------------------------------------------------------


def sockets() -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own
            found.append(str(descriptor.readlink()))
    return sorted(what for what in found if what.startswith("socket:"))


async def test_the_library(swarm: Nodes, spread: TestService) -> None:
    before = sockets()
    async with rind.connect(swarm[0].host) as client:
        for node, slot in slots(swarm, spread).items():
            target = await client.find(service="web", project=spread.stack, index=int(slot))
            assert target.endpoint.url == {one.name: one.host for one in swarm}[node]
            done = await target.run(["echo", "x"], text=True)
            assert done.stdout == "x\n"
        targets = await client.find_all(label=spread.label)
        assert [target.container.index for target in targets] == ["1", "2", "3"]
        assert [(await target.run(["true"])).returncode for target in targets] == [0, 0, 0]
        assert len(sockets()) > len(before)
    assert sockets() == before


async def test_a_target_follows_its_task_to_another_node(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    async with rind.connect(swarm[0].host) as client:
        target = await client.find(label=service.label, follow=True)
        first = target.container.id
        (_, old), (_, new) = on("node2"), on("node3")
        service.update("--constraint-rm", old, "--constraint-add", new)
        wait_until(lambda: running(swarm[1], service) == "")
        wait_until(lambda: service.states().count("running") == 1)
        assert (await target.run(["true"])).returncode == 0
        assert target.endpoint.url == swarm[2].host
        assert target.container.id != first


@pytest.mark.usefixtures("alone")
async def test_a_task_that_is_here_needs_no_way_to_its_node(
    swarm: Nodes, spread: TestService
) -> None:
    manager, worker, _ = swarm
    with labelled(manager, manager, "--label-rm", "app.rind.host"):
        async with rind.connect(manager.host) as client:
            for task in await client.containers(label=spread.label):
                target = await client.reach(task, spread.label)
                assert (await target.run(["true"])).returncode == 0
            found = {task.node: task for task in await client.containers(label=spread.label)}
        async with rind.connect(worker.host) as client:
            own = found["node2"]
            assert (await client.reach(own)).container.id == own.id  # it is here, for the worker
            with pytest.raises(
                rind.SelectionError, match="no node of a swarm that is managed here"
            ):
                await client.reach(found["node1"])
