"""Real engines, real containers, and the installed ``rind`` as a user starts it.

``./tests/run`` lists the engines in ``RIND_TEST_ENGINES``. Every container of these tests has a
label key of its own, so that no test's selection finds another's container.
"""

import fcntl
import gc
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict

import hypothesis
import pexpect
import pytest

import rind

# A script's background jobs ignore these signals, and rind keeps ignoring ignored signals.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        _default = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, _default)

pytest_plugins = ["services"]

# An example has no deadline: the machine may be busy.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")

RIND = os.environ.get("RIND_TEST_PROGRAM") or str(Path(sys.executable).with_name("rind"))
TIMEOUT = 60.0
COMPOSE = """\
name: shop
services:
  web:
    image: {image}
    init: true
    network_mode: none
    labels:
      app.rind: "source /venv/bin/activate"
"""
BUSYBOX = os.environ.get("RIND_TEST_BUSYBOX", "busybox")
SHELLS = {
    "dash": ["/bin/dash"],
    "bash": ["/bin/bash"],
    "bash-as-sh": ["/bin/bash", "--posix"],
    "ash": [BUSYBOX, "sh"],
}
"""This machine's shells: their command lines by name."""
linux_only = partial(pytest.mark.skipif, sys.platform != "linux")
"""Skips a test of what only Linux has, on macOS and under tests/macos, for a ``reason``."""


@dataclass(frozen=True)
class TestEngine:
    """A running engine, and the docker CLI that prepares containers on it."""

    __test__ = False

    name: str
    host: str
    images: dict[str, str]
    docker: str
    config: str
    tls: dict[str, str] | None
    variables: dict[str, str] = field(default_factory=dict)
    """Variables that a client needs besides the host."""

    def has(self, way: str) -> bool:
        """Whether the tests can reach it by this way."""
        return way != "tls" or self.tls is not None

    def cli(self, *args: str, check: bool = True, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [self.docker, *args],
            env={
                **os.environ,
                "DOCKER_HOST": self.host,
                "DOCKER_CONFIG": self.config,
                **self.variables,
            },
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            timeout=TIMEOUT,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()


def pytest_configure() -> None:
    os.environ.setdefault("RIND_TEST_SEED", str(random.SystemRandom().randrange(10**6)))


def pytest_report_header() -> str:
    return f"hand-over: RIND_TEST_SEED={os.environ['RIND_TEST_SEED']}"


def hand_over() -> dict[str, str]:
    """Return the variable that sets at which event the event loop takes over a run.

    In a third of the tests, the program chooses; in a third, the loop takes over at once; in a
    third, at a random event. RIND_TEST_EVENTS sets one for all; if empty, the program chooses.
    """
    events = os.environ.get("RIND_TEST_EVENTS")
    if events is None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        choose = random.Random(f"{os.environ['RIND_TEST_SEED']} {test}")
        events = choose.choice(["", "0", str(choose.randint(1, 12))])
    return {"_RIND_EVENTS": events} if events else {}


def stand_in() -> dict[str, str]:
    """Return what makes Python look as on macOS in a run too, if it does so here (tests/macos)."""
    return {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


class Where(TypedDict):
    """The keywords of rind.run that name the engine and the container."""

    host: str
    container: str


@dataclass(frozen=True)
class TestContainer:
    """A running container that only its own label key selects."""

    __test__ = False

    engine: TestEngine
    name: str
    label: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> Where:
        return {"host": self.engine.host, "container": self.name}

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a run of rind for this container."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "TERM": "xterm",
            "DOCKER_HOST": self.engine.host,
            "RIND_LABEL": self.label,
            # A leak or a deprecated call shows on stderr.
            "PYTHONWARNINGS": "error",
            **hand_over(),
            **stand_in(),
            **self.engine.variables,
            **self.env,
            **more,
        }

    def rind(
        self,
        *args: str | bytes,
        stdin: bytes | int = subprocess.DEVNULL,
        cwd: Path | None = None,
        **env: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run rind without a terminal."""
        with subprocess.Popen(
            [RIND, *args],
            env=self.environ(**env),
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
        ) as process:
            out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def spawn(
        self, *args: str, size: tuple[int, int] = (24, 80), env: dict[str, str] | None = None
    ) -> "pexpect.spawn[bytes]":
        """Run rind on a terminal of its own."""
        return pexpect.spawn(
            RIND,
            list(args),
            env=self.environ(**(env or {})),
            dimensions=size,
            timeout=TIMEOUT,
        )

    def kill(self) -> None:
        """Kill the container, and wait until the engine knows it."""
        self.engine.cli("kill", self.name)
        self.engine.cli("wait", self.name)

    def inside(self, script: str) -> str:
        """Run a script in the container, without rind."""
        return self.engine.cli("exec", self.name, "sh", "-c", script)


def _engines() -> list[TestEngine]:
    described = os.environ.get("RIND_TEST_ENGINES")
    if not described:
        pytest.exit("these tests need engines: start them with ./tests/run", returncode=2)
    return [TestEngine(**fields) for fields in json.loads(described)]


def podmans() -> list[TestEngine]:
    """Return the Podmans, for the tests that also run on them."""
    return [
        TestEngine(**fields) for fields in json.loads(os.environ.get("RIND_TEST_PODMANS", "[]"))
    ]


def _swarm() -> list[TestEngine]:
    described = json.loads(os.environ.get("RIND_TEST_SWARM", "[]"))
    if not described:
        pytest.skip("an existing engine is tested, and must not join a swarm")
    return [TestEngine(**fields) for fields in described]


@pytest.fixture(scope="session")
def swarm() -> list[TestEngine]:
    """Return the nodes of a swarm, the manager first; its node labels lead to all of them."""
    return [engine for engine in _swarm() if engine.name.startswith("node")]


@pytest.fixture
def leaderless() -> Iterator["Containers"]:
    """Return a function that starts containers on a manager whose only fellow manager has died.

    The manager notices the lost quorum half a minute later.
    """
    [engine] = (engine for engine in _swarm() if engine.name == "leaderless")
    with started_in(engine) as make:
        yield make


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failure, and then collect its garbage.

    To show a failure, pytest parses the test's source. A finalizer that shows a traceback parses
    too. Before CPython 3.11.9, nested parsing fails (cpython#106905), which ended the worker.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        if call.excinfo:
            gc.collect()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses an engine on every engine, and one that takes a way by every way."""
    engines = _engines() if "engine" in metafunc.fixturenames else []
    # The command line's handling of answers does not depend on the engine.
    is_cli = metafunc.definition.path.is_relative_to(Path(__file__).with_name("cli"))
    if is_cli or metafunc.definition.get_closest_marker("newest_engine"):
        engines = engines[-1:]
    if "way" in metafunc.fixturenames:
        ways = [(engine, "unix") for engine in podmans()]
        for engine in engines:
            ways += [(engine, way) for way in ("unix", "tcp", "tls", "ssh") if engine.has(way)]
        metafunc.parametrize(
            ("engine", "way"),
            ways,
            ids=[f"{engine.name}-{way}" for engine, way in ways],
            indirect=True,
        )
    elif "engine" in metafunc.fixturenames:
        metafunc.parametrize(
            "engine",
            engines,
            ids=[engine.name for engine in engines],
            indirect=True,
            scope="session",
        )


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> TestEngine:
    chosen: TestEngine = request.param
    return chosen


Containers = Callable[..., TestContainer]


def lines(container: TestContainer, *args: str) -> list[str]:
    """Run rind, which must succeed with an empty stderr; return the lines of its stdout."""
    done = container.rind(*args)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout.decode().splitlines()


@pytest.fixture
async def target(busybox: TestContainer) -> AsyncIterator["rind.Target"]:
    """Return a container with tools, as the library's target."""
    async with rind.connect(busybox.engine.host, environ=busybox.engine.variables) as client:
        yield await client.find(container=busybox.name)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder filled by ``make``, once for all workers of a run."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))
            make(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture
def blocking_target(busybox: TestContainer) -> Iterator["rind.SyncTarget"]:
    """Return a container with tools, as a blocking target."""
    with rind.connect_sync(busybox.engine.host, environ=busybox.engine.variables) as client:
        yield client.find(container=busybox.name)


@pytest.fixture
def shop(engine: TestEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Return the examples' project; its container is selected by the working directory."""
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(image=engine.images["django"]))
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine.cli("compose", "up", "--detach", cwd=tmp_path)
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        monkeypatch.delenv("RIND_LABEL", raising=False)
        yield
        engine.cli("compose", "down", "--timeout", "0", cwd=tmp_path)


def wait_until(true: Callable[[], bool]) -> None:
    """Poll until a condition is true that has no event."""
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a process's end; return its status by a shell's convention: 128+n for signal n."""
    status = process.wait(TIMEOUT)
    return status if status >= 0 else 128 - status


def one_line(stderr: bytes) -> str:
    """Return the only line of stderr, which must be Rind's own."""
    lines = stderr.decode().splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("rind: ")
    return lines[0].removeprefix("rind: ")


@pytest.fixture(scope="session")
def session_containers(engine: TestEngine) -> Iterator[Containers]:
    with started_in(engine) as make:
        yield make


@pytest.fixture
def containers(engine: TestEngine) -> Iterator[Containers]:
    """Return a function that starts containers; they are removed after the test."""
    with started_in(engine) as make:
        yield make


class started_in:  # noqa: N801 # a context manager, used as a function
    def __init__(self, engine: TestEngine) -> None:
        self.engine = engine
        self.names: list[str] = []

    def __enter__(self) -> Containers:
        return self.make

    def make(
        self,
        image: str = "busybox",
        pre_step: str | None = "",
        *options: str,
        name: str | None = None,
        label: str | None = None,
        command: Sequence[str] = ("sleep", "1000000"),
    ) -> TestContainer:
        name = name or f"rind-test-{uuid.uuid4().hex[:12]}"
        label = label or f"test.{name}"
        labelled = [] if pre_step is None else ["--label", f"{label}={pre_step}"]
        self.names.append(name)
        self.engine.cli(
            *("run", "--detach", "--init", "--network", "none", "--name", name),
            *labelled,
            *options,
            self.engine.images[image],
            *command,
        )
        return TestContainer(self.engine, name, label)

    def __exit__(self, *_: object) -> None:
        if self.names:
            self.engine.cli("rm", "--force", "--volumes", *self.names)


@pytest.fixture(scope="session")
def django(session_containers: Containers) -> TestContainer:
    """Return a Django development container: sh is dash, and the pre-step uses `source`."""
    return session_containers("django", "source /venv/bin/activate")


@pytest.fixture(scope="session")
def busybox(session_containers: Containers) -> TestContainer:
    """Return a container whose sh is busybox ash, with an empty pre-step."""
    return session_containers("busybox")


@pytest.fixture(scope="session")
def distroless(session_containers: Containers) -> TestContainer:
    """Return a container with no shell at all."""
    return session_containers("distroless")


@pytest.fixture(params=["django", "busybox"])
def container(
    request: pytest.FixtureRequest,
    engine: TestEngine,  # noqa: ARG001 # what it is made for
) -> TestContainer:
    """Return each of the containers that have a shell."""
    chosen: TestContainer = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return docker's configuration folder, with the contexts a and b; a is the current one."""
    for name in "ab":
        folder = tmp_path / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        meta = {"Name": name, "Endpoints": {"docker": {"Host": f"unix:///{name}.sock"}}}
        (folder / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "config.json").write_text('{"currentContext": "a"}')
    return tmp_path
