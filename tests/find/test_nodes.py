"""Commands in a swarm's tasks, on every node; the swarm is real."""

import asyncio
import json
import os
import re
import signal
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Self

import pexpect
import pytest
from conftest import TIMEOUT, wait_until
from services import Nodes, Services, TestService, is_running, labelled, on, running, slots, started
from ssh_server import serving

import rind
from rind.endpoint.endpoint import Endpoint
from rind.find.nodes import Nodes as ClientsOfNodes


def test_a_command_runs_where_the_task_is(swarm: Nodes, spread: TestService) -> None:
    script = "cat; echo $STEP $1 >&2; exit 7"
    for slot in slots(swarm, spread).values():
        words = ["-p", spread.stack, "-s", "web", "--index", slot]
        done = spread.rind(*words, "-c", script, slot, stdin=b"\0\xff")
        assert (done.returncode, done.stdout) == (7, b"\0\xff")
        assert done.stderr == f"done {slot}\n".encode()


def test_a_task_is_found_by_each_of_its_names(swarm: Nodes, spread: TestService) -> None:
    """Also the service's name in the swarm, and the name of the task's container, as in --list."""
    slot = slots(swarm, spread)["node2"]
    assert spread.printed("-s", spread.name, "--index", slot, "-c", "echo $STEP") == "done\n"
    name = swarm[1].cli("ps", "--filter", f"label={spread.label}", "--format", "{{.Names}}")
    assert name in spread.printed("--list")
    assert spread.printed("--container", name, "-c", "echo $STEP") == "done\n"
    assert spread.printed("--container", f"web.{slot}@node2", "-c", "echo $STEP") == "done\n"
    number = swarm[1].cli("ps", "--quiet", "--filter", f"label={spread.label}")
    assert spread.printed("--container", number, "-c", "echo $STEP") == "done\n"
    said = spread.refused("--container", "nobody.1.x", "true")
    assert " has the name nobody.1.x" in said


def test_a_local_task_is_preferred(swarm: Nodes, spread: TestService) -> None:
    done = spread.rind("-v", "true")
    here = slots(swarm, spread)["node1"]
    said = f"rind: in {spread.name}.{here}."
    assert said in done.stderr.decode()
    assert f" on {swarm[0].host}: " in done.stderr.decode()
    there = slots(swarm, spread)["node2"]
    assert f" on {swarm[1].host}: " in spread.rind("-v", "--index", there, "true").stderr.decode()


def test_a_global_services_task_is_selected_by_node(swarm: Nodes, services: Services) -> None:
    service = services("--mode", "global", up=3)
    for node in swarm:
        done = service.rind("-v", "--index", node.name, "-c", "echo $STEP")
        assert (done.returncode, done.stdout) == (0, b"done\n")
        assert f" on {node.host}: " in done.stderr.decode()
        number = node.cli("info", "--format", "{{.Swarm.NodeID}}")
    said = sorted(service.printed("--all", "echo", "x").splitlines())
    assert said == [f"web@{node.name}  | x" for node in swarm]
    # The name on the node's engine, which has not requested the nodes.
    assert service.rind("--index", number, "true", DOCKER_HOST=node.host).returncode == 0
    listed = json.loads(service.printed("--list", "--json"))
    assert {one["index"] for one in listed} == {"node1", "node2", "node3"}
    assert offered(service, "-s", service.name, "--index", "") == ["node1", "node2", "node3"]
    assert "the index node9" in service.refused("--index", "node9", "true")


def test_all_tasks_run_the_command(spread: TestService) -> None:
    done = spread.rind("--all", "-c", "echo $STEP; hostname")
    said = sorted(done.stdout.decode().splitlines())
    nodes = [line.partition("  | ")[0].partition("@")[2] for line in said]
    assert [line.partition("@")[0] for line in said] == [f"web.{n}" for n in (1, 1, 2, 2, 3, 3)]
    assert sorted(nodes) == ["node1", "node1", "node2", "node2", "node3", "node3"]
    assert done.returncode == 0


def test_tasks_are_announced_with_their_engines(swarm: Nodes, spread: TestService) -> None:
    said = spread.rind("-v", "--all", "true").stderr.decode().splitlines()[0]
    assert all(f" on {node.host}" in said for node in swarm)


def test_a_job_has_tasks(services: Services) -> None:
    job = services("--mode", "replicated-job", *on("node2"), up=1)
    assert job.printed("-c", "echo $STEP") == "done\n"


def test_in_another_projects_folder_a_task_is_mentioned(services: Services, tmp_path: Path) -> None:
    service = services(*on("node2"), replicas=1)
    (tmp_path / "compose.yaml").write_text("services: {}")
    rind = service.spawn("-c", "echo $STEP", cwd=tmp_path)
    rind.expect_exact(b"rind: running in web.1@node2, of the swarm\r\ndone\r\n")
    rind.expect(pexpect.EOF)


def test_the_list_has_the_tasks_nodes(spread: TestService) -> None:
    listed = json.loads(spread.printed("--list", "--json"))
    found = {(one["service"], one["project"], one["index"]) for one in listed}
    assert found == {("web", spread.stack, index) for index in (1, 2, 3)}
    assert {one["node"] for one in listed} == {"node1", "node2", "node3"}
    assert "NODE" in spread.printed("--list")


def test_several_tasks_elsewhere_are_named(services: Services) -> None:
    service = services(*on("node2"))
    said = service.refused("true")
    assert "2 running containers have the label" in said
    assert "--index 1" in said


def test_local_and_remote_tasks_are_candidates(services: Services) -> None:
    service = services("--replicas-max-per-node", "2", "--constraint", "node.hostname!=node3")
    service.update("--replicas", "4")
    wait_until(lambda: service.states().count("running") == 4)
    said = service.refused("true")
    assert "4 running containers" in said
    for index in (1, 2, 3, 4):
        assert f"--index {index} (" in said


def test_the_picker_shows_the_nodes(services: Services) -> None:
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


def test_a_remote_tasks_terminal_has_the_local_size(services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    script = "stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"
    rind = service.spawn("-c", script)
    rind.expect_exact(b"24 120\r\nready\r\n")
    rind.setwinsize(30, 90)
    rind.expect_exact(b"30 90\r\n")
    rind.expect(pexpect.EOF)


def test_a_remote_tasks_labels_apply(services: Services) -> None:
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


def test_an_explained_command_can_be_pasted(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    said = service.printed("--explain", "-c", "echo $STEP").splitlines()
    assert said[0] == f"engine:    {swarm[1].host} (from the label app.rind.host)"
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_node(swarm: Nodes, services: Services, number: int) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 424243") as process:
        assert is_running(swarm[1], service, "424243")
        process.send_signal(number)
        assert process.wait(TIMEOUT) == -number
    assert not is_running(swarm[1], service, "424243")


def test_killing_rind_ends_the_remote_tree(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    with started(service, "-c", "echo ready; sleep 424243") as process:
        wait_until(lambda: is_running(swarm[1], service, "rind-leash"))
        process.kill()
    wait_until(lambda: not is_running(swarm[1], service, "424243"))
    wait_until(lambda: not is_running(swarm[1], service, "rind-leash"))


def test_a_time_limit_applies_to_a_remote_task(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    done = service.rind("--timeout", "5", "-c", "echo ready; sleep 424243")
    assert (done.returncode, done.stdout) == (124, b"ready\n")
    assert not is_running(swarm[1], service, "424243")


@pytest.mark.usefixtures("alone")
def test_a_node_is_reached_by_ssh(swarm: Nodes, services: Services) -> None:
    manager, node, _ = swarm
    service = services(*on(node.name), replicas=1)
    with TemporaryDirectory(prefix="ssh") as folder, serving(Path(folder) / "s") as server:
        way = f"app.rind.host={server.over(node.host)}"
        path, run_time = server.environ["PATH"], server.environ["XDG_RUNTIME_DIR"]

        def by_ssh(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
            return service.rind(*words, stdin=stdin, PATH=path, XDG_RUNTIME_DIR=run_time)

        with labelled(manager, node, "--label-add", way):
            done = by_ssh("-c", "cat; exit 7", stdin=b"\0\xff")
            assert (done.returncode, done.stdout, done.stderr) == (7, b"\0\xff", b"")
            done = by_ssh("--all", "echo", "x")
            assert (done.returncode, done.stdout) == (0, b"web.1@node2  | x\n")
        server.cut()


def test_a_detached_command_keeps_running_on_its_node(swarm: Nodes, services: Services) -> None:
    service = services(*on("node2"), replicas=1)
    assert service.printed("--detach", "sleep", "424243") == ""
    assert is_running(swarm[1], service, "424243")
    rind = service.spawn("--detach-keys", "ctrl-a", "-c", "echo ready; sleep 1000")
    rind.expect_exact(b"ready")
    rind.send("\x01")
    rind.expect_exact(f"find it with: docker --host {swarm[1].host} top {service.name}.1.".encode())


def test_wait_finds_a_task_elsewhere(services: Services) -> None:
    service = services(*on("node2"), replicas=0)
    Thread(target=service.update, args=["--replicas", "1"]).start()
    with started(service, "--wait", "echo", "x", says=b"x\n") as process:
        assert process.wait(TIMEOUT) == 0


def test_waiting_for_all_waits_for_starting_tasks(services: Services) -> None:
    """A task counts as running once healthy; this one stays "starting"."""
    health = ("--health-cmd", "false", "--health-start-period", "1000s")
    service = services(*health, "--replicas-max-per-node", "1", replicas=3, up=0)
    wait_until(lambda: service.states() == ["starting"] * 3)
    said = service.refused("--all", "--wait=5", "true")
    assert re.fullmatch(r"waited for 5 s: web\.\d@node\d has the state starting", said)


def test_an_unhealthy_task_can_be_entered(services: Services) -> None:
    """As with a local container; --wait waits until it is healthy."""
    health = ("--health-cmd", "false", "--health-start-period", "1000s")
    service = services(*health, *on("node2"), replicas=1, up=0)
    wait_until(lambda: service.states() == ["starting"])
    assert service.printed("-c", "echo $STEP") == "done\n"
    said = service.refused("--wait=2", "true")
    assert said.startswith(f"waited for 2 s: the container {service.name}.1.")
    assert said.endswith("is not healthy (health: starting)")


def test_waiting_for_all_waits_for_a_tasks_successor(swarm: Nodes, services: Services) -> None:
    """The swarm starts the next task five seconds later."""
    service = services("--constraint", "node.role==worker", replicas=2)
    container, *_ = [*running(swarm[1], service).split(), *running(swarm[2], service).split()]
    node = swarm[1] if container in running(swarm[1], service) else swarm[2]
    node.cli("kill", container)
    wait_until(lambda: "ready" in service.states())
    assert service.printed("--all", "--wait", "echo", "x").count("| x\n") == 2


# --- the library ------------------------------------------------------------------------------


def sockets() -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own socket
            found.append(str(descriptor.readlink()))
    return sorted(what for what in found if what.startswith("socket:"))


async def test_the_library_runs_commands_in_tasks(swarm: Nodes, spread: TestService) -> None:
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
    assert set(sockets()) <= set(before)


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
async def test_a_local_task_needs_no_connection_to_its_node(
    swarm: Nodes, spread: TestService
) -> None:
    manager, worker, _ = swarm
    with labelled(manager, manager, "--label-rm", "app.rind.host"):
        async with rind.connect(manager.host) as client:
            for task in await client.containers(label=spread.label):
                target = await client.reach(task, spread.label)
                assert (await target.run(["true"])).returncode == 0
                assert target.container.status.startswith("Up")  # the status on the node's engine
            found = {task.node: task for task in await client.containers(label=spread.label)}
        async with rind.connect(worker.host) as client:
            own = found["node2"]
            assert (await client.reach(own)).container.id == own.id  # local to it
            with pytest.raises(rind.SelectionError, match="connect to a manager of its swarm"):
                await client.reach(found["node1"])


class Slow:
    """A client that connects and closes only together with others."""

    def __init__(self, together: asyncio.Barrier) -> None:
        self.together = together
        self.connects = asyncio.Event()
        self.is_open = False

    async def __aenter__(self) -> Self:
        self.connects.set()
        await self.together.wait()
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.together.wait()
        self.is_open = False


async def test_nodes_are_connected_and_closed_concurrently() -> None:
    together = asyncio.Barrier(3)
    nodes: ClientsOfNodes[Slow] = ClientsOfNodes(lambda _: Slow(together))
    ways = [Endpoint(f"unix:///{number}", "the test") for number in range(3)]
    async with asyncio.timeout(TIMEOUT):
        clients = await asyncio.gather(*map(nodes.client, ways))
        assert [await nodes.client(way) for way in ways] == clients
        await nodes.aclose()
    assert not any(client.is_open for client in clients)


async def test_only_a_few_nodes_are_connected_concurrently() -> None:
    together = asyncio.Barrier(16)
    nodes: ClientsOfNodes[Slow] = ClientsOfNodes(lambda _: Slow(together))
    ways = [Endpoint(f"unix:///{number}", "the test") for number in range(17)]
    connecting = [asyncio.create_task(nodes.client(way)) for way in ways]
    async with asyncio.timeout(TIMEOUT):
        await asyncio.wait(connecting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*connecting[:16])
        assert not connecting[16].done()
        connecting[16].cancel()
        await asyncio.wait(connecting)
        await nodes.aclose()


async def test_a_connection_made_during_the_close_is_closed() -> None:
    together = asyncio.Barrier(2)
    slow = Slow(together)
    nodes: ClientsOfNodes[Slow] = ClientsOfNodes(lambda _: slow)
    connecting = asyncio.create_task(nodes.client(Endpoint("unix:///x", "the test")))
    async with asyncio.timeout(TIMEOUT):
        await slow.connects.wait()
        await nodes.aclose()
        await together.wait()  # it connects
        await together.wait()  # it is closed
        with pytest.raises(RuntimeError, match="closed meanwhile"):
            await connecting
    assert not slow.is_open
