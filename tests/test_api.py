"""The embedding API; selection by where we stand, on real Compose projects and mounts."""

import asyncio
import gc
import inspect
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pytest
import uvloop
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine, one_line

import rind


@dataclass(frozen=True)
class Projects:
    """Two Compose projects, one of them checked out twice, with a label key of their own."""

    engine: TestEngine
    root: Path
    label: str

    def up(self, folder: str, *, scale: int = 1, mount: bool = False) -> Path:
        """Start a project in a folder of its own; give that."""
        path = self.root / folder
        path.mkdir(parents=True)
        (path / "src").mkdir()
        service = {
            "image": self.engine.images["busybox"],
            "init": True,
            "network_mode": "none",
            "scale": scale,
            "labels": {self.label: "", f"{self.label}.workdir": "auto"},
            "volumes": [".:/code"] if mount else [],
        }
        file = {"name": self.name(folder), "services": {"web": service}}
        (path / "compose.yaml").write_text(json.dumps(file))
        self.engine.cli("compose", "up", "--detach", cwd=path)
        return path

    def down(self) -> None:
        for file in self.root.rglob("compose.yaml"):
            self.engine.cli("compose", "down", "--timeout", "0", cwd=file.parent)

    def name(self, folder: str) -> str:
        return f"{self.label}-{folder}".replace(".", "-").replace("/", "-")

    def rind(self, *args: str, cwd: Path, **env: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [RIND, *args],
            env={
                "PATH": os.environ["PATH"],
                "DOCKER_HOST": self.engine.host,
                "RIND_LABEL": self.label,
                **env,
            },
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )

    def chosen(self, *args: str, cwd: Path, **env: str) -> str:
        """Give the name of the container that a command runs in."""
        done = self.rind(*args, "cat", "/etc/hostname", cwd=cwd, **env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        hostname = done.stdout.decode().strip()
        found: str = self.engine.cli("inspect", "--format", "{{.Name}}", hostname)
        return found.removeprefix("/")


@pytest.fixture
def projects(engine: TestEngine, tmp_path: Path) -> Iterator[Projects]:
    it = Projects(engine, tmp_path, f"t{uuid.uuid4().hex[:8]}")
    yield it
    it.down()


def test_the_project_that_we_stand_in(projects: Projects, tmp_path: Path) -> None:
    shop, blog = projects.up("shop"), projects.up("blog")
    (tmp_path / "link").symlink_to(shop)
    assert projects.chosen(cwd=shop) == f"{projects.name('shop')}-web-1"
    assert projects.chosen(cwd=blog / "src") == f"{projects.name('blog')}-web-1"
    assert projects.chosen(cwd=tmp_path / "link" / "src") == f"{projects.name('shop')}-web-1"
    said = one_line(projects.rind("true", cwd=tmp_path).stderr)
    assert said.startswith(f"2 running containers have the label {projects.label}: choose one")
    for name in ("shop", "blog"):
        option = f"--project {projects.name(name)}"
        assert option in said
        assert projects.chosen(*option.split(), cwd=tmp_path) == f"{projects.name(name)}-web-1"
    variable = {"RIND_PROJECT": projects.name("blog")}
    assert projects.chosen(cwd=tmp_path, **variable) == f"{projects.name('blog')}-web-1"


def test_service_and_index(projects: Projects) -> None:
    shop = projects.up("shop", scale=2)
    refused = projects.rind("-s", "web", "true", cwd=shop)
    assert refused.returncode == 125
    for index in ("1", "2"):
        assert f"--index {index} (" in one_line(refused.stderr)
        name = f"{projects.name('shop')}-web-{index}"
        assert projects.chosen("--index", index, cwd=shop) == name
    assert b"the index 3" in projects.rind("--index", "3", "true", cwd=shop).stderr


def test_a_service_without_the_label(projects: Projects, tmp_path: Path) -> None:
    projects.up("shop")
    name = projects.name("shop")
    options = ("-p", name, "-s", "web", "--label", "no.such")
    assert projects.chosen(*options, cwd=tmp_path) == f"{name}-web-1"


def test_two_checkouts_and_a_bind_mount(projects: Projects, tmp_path: Path) -> None:
    first, second = projects.up("a/shop", mount=True), projects.up("b/shop", mount=True)
    for folder, name in ((first, "a/shop"), (second, "b/shop")):
        assert projects.chosen(cwd=folder / "src") == f"{projects.name(name)}-web-1"
        # The label says that the working directory goes along.
        assert projects.rind("pwd", cwd=folder / "src").stdout == b"/code/src\n"
        assert projects.rind("pwd", cwd=folder).stdout == b"/\n"
    (tmp_path / "link").symlink_to(second / "src")
    assert projects.rind("pwd", cwd=tmp_path / "link").stdout == b"/code/src\n"
    assert projects.rind("-w", "/tmp", "pwd", cwd=first / "src").stdout == b"/tmp\n"


def test_a_project_that_is_not_up(projects: Projects, tmp_path: Path) -> None:
    shop = projects.up("shop")
    projects.engine.cli("compose", "stop", "--timeout", "0", cwd=shop)
    said = one_line(projects.rind("true", cwd=shop).stderr)
    name = f"{projects.name('shop')}-web-1"
    assert said.startswith(f"no running container has the label {projects.label} ({name} has it, ")
    assert said.endswith(f"start it with: docker start {name})")
    projects.engine.cli("compose", "down", cwd=shop)
    said = one_line(projects.rind("true", cwd=shop / "src").stderr)
    assert said.startswith(f"no container on {projects.engine.host} has the label")
    assert f"the project in {shop} is not up; start it with: docker compose up" in said
    assert "put it on one" in one_line(projects.rind("true", cwd=tmp_path).stderr)


def test_the_labels_say_how_to_run(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    labels = {
        "user": "host",
        "env.GREETING": "hello  there",
        "env.EDITOR": "ed",
        "pass-env": "EDITOR TZ",
        "command": "echo $GREETING; echo $EDITOR; id -u; echo $0",
        "workdir": "/tmp",
    }
    options = [
        word for name, value in labels.items() for word in ("--label", f"{key}.{name}={value}")
    ]
    target = containers("busybox", "", *options, label=key)
    said = target.rind(EDITOR="vi", GREETING="no")
    assert said.stdout.decode().splitlines() == ["hello there", "vi", str(os.getuid()), "sh"]
    assert (
        target.rind(
            "-u", "app", "-w", "/", "-e", "EDITOR=x", "-c", "id -un; pwd; echo $EDITOR"
        ).stdout
        == b"app\n/\nx\n"
    )


def test_another_shell(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    target = containers("django", "words=(a b)", "--label", f"{key}.shell=/bin/bash", label=key)
    assert target.rind("-c", "echo ${words[1]}").stdout == b"b\n"
    assert target.rind("printenv", "BASH_VERSION").returncode == 1
    assert target.rind(stdin=b"echo $BASH_VERSION | cut -c1\n").stdout == b"5\n"
    assert target.rind("--shell", "/bin/sh", "true").returncode == 2
    assert target.rind("--no-pre-step", "--shell", "/bin/sh", "true").returncode == 0


def test_a_misspelt_label_is_told(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    target = containers("busybox", "", "--label", f"{key}.usr=x", label=key)
    done = target.rind("true")
    assert done.returncode == 125
    assert one_line(done.stderr) == f"unknown label {key}.usr: did you mean {key}.user?"


# --- embedded ---------------------------------------------------------------------------------


class Where(TypedDict):
    host: str
    container: str


def where(container: TestContainer) -> Where:
    return {"host": container.engine.host, "container": container.name}


async def test_run(busybox: TestContainer) -> None:
    done = await rind.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"x", **where(busybox))
    assert done == rind.CompletedProcess(
        ["sh", "-c", "cat; echo err >&2; exit 3"], 3, b"x", b"err\n", busybox.name
    )
    text = await rind.run(script="tr a-z A-Z", input="héllo", text=True, **where(busybox))
    assert (text.args, text.stdout, text.stderr) == (["tr a-z A-Z"], "HéLLO", "")
    done = await rind.run(
        script="echo $A; id -un; pwd",
        env={"A": "1 2"},
        user="app",
        workdir="/tmp",
        **where(busybox),
    )
    assert done.stdout == b"1 2\napp\n/tmp\n"
    quiet = await rind.run(["echo"], stdout=rind.DEVNULL, **where(busybox))
    assert not quiet.stdout
    assert (await rind.run(["cat"], **where(busybox))).stdout == b""


def test_run_sync(busybox: TestContainer) -> None:
    assert rind.run_sync(["echo", "x"], text=True, **where(busybox)).stdout == "x\n"


async def test_a_failed_check_has_all_that_there_is_to_know(busybox: TestContainer) -> None:
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    with pytest.raises(rind.CommandFailed) as caught:
        await rind.run(argv, check=True, **where(busybox))
    exc = caught.value
    assert (exc.argv, exc.returncode, exc.exit_status) == (argv, 3, 3)
    assert (exc.stdout, exc.stderr, exc.container) == (b"out\n", b"err\n", busybox.name)
    assert str(exc).endswith(f"ended with exit status 3 in {busybox.name}")


async def test_a_timeout_has_the_partial_output_and_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"echo part; trap '' TERM; sleep {mark} & sleep {mark}; sleep {mark}"
    with pytest.raises(rind.TimedOut) as caught:
        await rind.run(script=script, timeout=0.5, text=True, **where(busybox))
    exc = caught.value
    assert isinstance(exc, TimeoutError)
    assert (exc.stdout, exc.stderr, exc.timeout, exc.exit_status) == ("part\n", "", 0.5, 124)
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_a_cancelled_run_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        started = asyncio.Event()

        async def fail() -> None:
            await started.wait()
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup):  # noqa: PT012 # it is the group that is tested
            async with asyncio.TaskGroup() as group:
                group.create_task(target.run(["sleep", mark]))
                group.create_task(fail())
                async with target.open_process(["cat"]) as process:
                    assert process.stdin
                    assert process.stdout
                    process.stdin.write(b"x\n")
                    await process.stdout.readline()
                    started.set()
                    await process.wait()
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_mistakes_are_told(busybox: TestContainer) -> None:
    with pytest.raises(rind.UsageError, match="a command is a list of words, but got 'ls -l'"):
        await rind.run("ls -l", **where(busybox))
    with pytest.raises(rind.SelectionError, match="No such container: nobody"):
        await rind.run(["ls"], host=busybox.engine.host, container="nobody")
    with pytest.raises(rind.Unreachable):
        await rind.run(["ls"], host="unix:///nowhere", container="nobody")
    with pytest.raises(rind.StartError):
        await rind.run(["nope"], **where(busybox))


async def test_two_hundred_at_once(busybox: TestContainer) -> None:
    threads = threading.active_count()
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)

        async def one(number: int) -> bool:
            script = f"cat; echo {number} >&2; exit {number}"
            done = await target.run(script=script, input=b"%d" % number * 1000)
            expected = (number, b"%d" % number * 1000, b"%d\n" % number)
            return (done.returncode, done.stdout, done.stderr) == expected

        assert all(await asyncio.gather(*map(one, range(200))))
    assert threading.active_count() == threads


def eager_loop() -> asyncio.AbstractEventLoop:
    # Not on uvloop: the two do not know each other's newest keywords.
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop, eager_loop])
@pytest.mark.parametrize("debug", [False, True])
def test_whatever_the_loop(
    busybox: TestContainer,
    factory: Callable[[], asyncio.AbstractEventLoop],
    debug: bool,  # noqa: FBT001 # a case
) -> None:
    async def work() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        async with rind.connect(busybox.engine.host) as client:
            target = await client.find(container=busybox.name)
            done = await target.run(["cat"], input=b"x" * 10**6)
            assert done.stdout == b"x" * 10**6
            async with target.open_process(["sh", "-c", "read x; exit 5"]) as process:
                assert process.stdin
                process.stdin.write(b"\n")
                assert await process.wait() == 5
            with pytest.raises(rind.TimedOut):
                await target.run(["sleep", "1000"], timeout=0.1)

    for _ in range(2):
        with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
            runner.run(work())
    gc.collect()


PUBLIC = """
AmbiguousError Broken Client Command CommandFailed CompletedProcess Container ContainerGone DEVNULL
EngineError ExitStatus LeftRunning PIPE PipedProcess Profile Refused RindError STDOUT SelectionError
StartError StdinWriter Target TimedOut Unreachable UsageError Wanted attach_terminal connect run
run_sync
"""


def test_the_public_names() -> None:
    assert sorted(rind.__all__) == PUBLIC.split()
    assert set(rind.__all__) <= set(dir(rind))
    for name in rind.__all__:
        it = getattr(rind, name)
        assert not callable(it) or inspect.getdoc(it), name
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        rind.nope  # noqa: B018 # that is what is tested


def test_every_error_is_of_one_tree() -> None:
    for name in rind.__all__:
        it = getattr(rind, name)
        if isinstance(it, type) and issubclass(it, BaseException):
            assert issubclass(it, rind.RindError), name


def test_importing_it_loads_nothing() -> None:
    script = "import sys, rind; print([it for it in sys.modules if it.startswith('rind.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
