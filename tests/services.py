"""Services of a real swarm, and commands in their tasks."""

import fcntl
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, TestEngine, one_line, wait_until

Nodes = list[TestEngine]


@dataclass(frozen=True)
class TestService:
    """A service of a stack, with a label key of its own."""

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
        """Run rind, which must fail before the start; return its message."""
        done = self.rind(*words, DOCKER_HOST=host or self.manager.host)
        assert (done.returncode, done.stdout) == (125, b"")
        return one_line(done.stderr)

    def printed(self, *words: str) -> str:
        done = self.rind(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def spawn(self, *words: str, cwd: Path | None = None) -> "pexpect.spawn[bytes]":
        """Run rind on a terminal."""
        env = self.environ(TERM="xterm")
        size = (24, 120)
        return pexpect.spawn(RIND, [*words], env=env, timeout=TIMEOUT, dimensions=size, cwd=cwd)

    def update(self, *words: str) -> None:
        self.manager.cli("service", "update", "--detach", *words, self.name)

    def states(self) -> list[str]:
        """Return the states of its tasks, including past ones."""
        ids = self.manager.cli("service", "ps", "--quiet", "--no-trunc", self.name).split()
        state = ("inspect", "--format", "{{.Status.State}}")
        return self.manager.cli(*state, *ids).split() if ids else []


Services = Callable[..., TestService]


@pytest.fixture
def alone() -> None:
    """Lock the swarm against other workers' tests: this test changes nodes that they need."""


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
        how = () if {"global", "replicated-job"} & {*words} else ("--replicas", str(replicas))
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


@contextmanager
def started(
    service: TestService, *words: str, says: bytes = b"ready\n"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a service; yield once it has printed something."""
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
    """Whether a service's only container on a node has a process with this mark."""
    return mark in node.cli("top", running(node, service))


@contextmanager
def labelled(manager: TestEngine, node: TestEngine, *words: str) -> Iterator[None]:
    """Change a node's label, and restore it at the end."""
    try:
        manager.cli("node", "update", *words, node.name)
        yield
    finally:
        put_right = f"app.rind.host={node.host}"
        manager.cli("node", "update", "--label-add", put_right, node.name)
