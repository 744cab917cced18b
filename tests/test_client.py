"""Selection by working directory, service and project, on real Compose projects and mounts."""

import asyncio
import gc
import json
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import aiodocker
import pytest
from conftest import (
    RIND,
    TIMEOUT,
    Containers,
    TestContainer,
    TestEngine,
    one_line,
    wait_until,
)
from processes import kill_all

import rind
from rind.engine.engine import Engine
from rind.find.caller import _checkout, _folder_with
from rind.transport.hijacked import HijackedStream


@dataclass(frozen=True)
class Projects:
    """Two Compose projects, one of them checked out twice, with a label key of their own."""

    engine: TestEngine
    root: Path
    label: str

    def up(self, folder: str, *, scale: int = 1, mount: bool = False) -> Path:
        """Start a project in a folder of its own; return the folder."""
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

    def environ(self, **env: str) -> dict[str, str]:
        where = {"DOCKER_HOST": self.engine.host, "RIND_LABEL": self.label}
        return {"PATH": os.environ["PATH"], **where, **env}

    def rind(self, *args: str, cwd: Path, **env: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [RIND, *args],
            env=self.environ(**env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )

    def chosen(self, *args: str, cwd: Path, **env: str) -> str:
        """Return the name of the container that a command runs in."""
        done = self.rind(*args, "cat", "/etc/hostname", cwd=cwd, **env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        return self.named(done.stdout)

    def named(self, hostname: bytes) -> str:
        """Return the name of the container that has a host name."""
        found = self.engine.cli("inspect", "--format", "{{.Name}}", hostname.decode().strip())
        return found.removeprefix("/")


@pytest.fixture
def projects(engine: TestEngine, tmp_path: Path) -> Iterator[Projects]:
    it = Projects(engine, tmp_path, f"t{uuid.uuid4().hex[:8]}")
    yield it
    it.down()


def test_the_callers_project_is_selected(projects: Projects, tmp_path: Path) -> None:
    shop, blog = projects.up("shop"), projects.up("blog")
    (tmp_path / "link").symlink_to(shop)
    assert projects.chosen(cwd=shop) == f"{projects.name('shop')}-web-1"
    assert projects.chosen(cwd=blog / "src") == f"{projects.name('blog')}-web-1"
    assert projects.chosen(cwd=tmp_path / "link" / "src") == f"{projects.name('shop')}-web-1"
    said = one_line(projects.rind("true", cwd=tmp_path).stderr)
    assert said.startswith(f"2 running containers below {tmp_path} have the label")
    for name in ("shop", "blog"):
        option = f"--project {projects.name(name)}"
        assert option in said
        assert projects.chosen(*option.split(), cwd=tmp_path) == f"{projects.name(name)}-web-1"
    variable = {"RIND_PROJECT": projects.name("blog")}
    assert projects.chosen(cwd=tmp_path, **variable) == f"{projects.name('blog')}-web-1"


def test_service_and_index_select_a_replica(projects: Projects) -> None:
    shop = projects.up("shop", scale=2)
    refused = projects.rind("-s", "web", "true", cwd=shop)
    assert refused.returncode == 125
    for index in ("1", "2"):
        assert f"--index {index} (" in one_line(refused.stderr)
        name = f"{projects.name('shop')}-web-{index}"
        assert projects.chosen("--index", index, cwd=shop) == name
    assert b"the index 3" in projects.rind("--index", "3", "true", cwd=shop).stderr


def test_a_service_without_the_label_is_selected(projects: Projects, tmp_path: Path) -> None:
    projects.up("shop")
    name = projects.name("shop")
    options = ("-p", name, "-s", "web", "--label", "no.such")
    assert projects.chosen(*options, cwd=tmp_path) == f"{name}-web-1"


def test_a_bind_mount_selects_among_two_checkouts(projects: Projects, tmp_path: Path) -> None:
    first, second = projects.up("a/shop", mount=True), projects.up("b/shop", mount=True)
    for folder, name in ((first, "a/shop"), (second, "b/shop")):
        assert projects.chosen(cwd=folder / "src") == f"{projects.name(name)}-web-1"
        # The label sets the command's directory by ours.
        assert projects.rind("pwd", cwd=folder / "src").stdout == b"/code/src\n"
        assert projects.rind("pwd", cwd=folder).stdout == b"/code\n"
    (tmp_path / "link").symlink_to(second / "src")
    assert projects.rind("pwd", cwd=tmp_path / "link").stdout == b"/code/src\n"
    assert projects.rind("-w", "/tmp", "pwd", cwd=first / "src").stdout == b"/tmp\n"


def test_a_project_that_is_not_up_is_reported(projects: Projects, tmp_path: Path) -> None:
    shop = projects.up("shop")
    projects.engine.cli("compose", "stop", "--timeout", "0", cwd=shop)
    said = one_line(projects.rind("true", cwd=shop).stderr)
    name = f"{projects.name('shop')}-web-1"
    assert said.startswith(
        f"no running container for {shop} has the label {projects.label} ({name} has it, "
    )
    assert said.endswith(f"start it with: docker start {name})")
    projects.engine.cli("compose", "down", cwd=shop)
    said = one_line(projects.rind("true", cwd=shop / "src").stderr)
    assert said.startswith(f"no container on {projects.engine.host} has the label")
    assert f"the project in {shop} is not up; start it with: docker compose up" in said
    assert "put it on one" in one_line(projects.rind("true", cwd=tmp_path).stderr)


def test_a_stopped_nearer_checkout_is_not_replaced_by_another(projects: Projects) -> None:
    """Worktrees side by side, each with its own stack: no other worktree's is chosen instead."""
    near, far = projects.up("shop"), projects.up("shop2")
    name = f"{projects.name('shop')}-web-1"
    projects.engine.cli("compose", "stop", "--timeout", "0", cwd=near)

    def refused(*words: str, **env: str) -> str:
        done = projects.rind(*words, "-c", "echo wrong", cwd=near / "src", **env)
        assert (done.returncode, done.stdout) == (125, b"")
        return one_line(done.stderr)

    assert f"docker start {name}" in refused()
    assert f"docker start {name}" in refused("-T", "-s", "web")
    assert f"docker start {name}" in refused("--all")
    assert f"docker start {name}" in refused("--all", "-s", "web")
    assert f"docker start {name}" in refused("--explain")
    assert f"docker start {name}" in refused("--wait=.2s")
    variable = {"COMPOSE_PROJECT_NAME": projects.name("shop")}
    done = projects.rind("-c", "echo wrong", cwd=far, **variable)
    assert f"docker start {name}" in one_line(done.stderr)
    with subprocess.Popen(
        [RIND, "--wait", "hostname"], cwd=near, env=projects.environ(), stdout=subprocess.PIPE
    ) as waiting:
        projects.engine.cli("compose", "start", cwd=near)
        out, _ = waiting.communicate(timeout=TIMEOUT)
    assert projects.named(out) == name
    projects.engine.cli("compose", "down", "--timeout", "0", cwd=near)
    option = f"--project {projects.name('shop2')}"
    for words in ([], ["--all"], ["-s", "web"]):
        assert f"choose one of another project with {option} (" in refused(*words)
    assert projects.chosen(*option.split(), cwd=near) == f"{projects.name('shop2')}-web-1"
    done = projects.rind("--all=everywhere", "hostname", cwd=near)
    assert done.stdout.decode().startswith(f"{projects.name('shop2')}-web-1  | ")


@pytest.mark.newest_engine
def test_all_selects_the_callers_containers(projects: Projects, tmp_path: Path) -> None:
    shop, _ = projects.up("shop", scale=2), projects.up("shop2")

    def ran(*words: str, cwd: Path) -> list[str]:
        done = projects.rind(*words, "true", cwd=cwd)
        assert (done.returncode, done.stdout) == (0, b"")
        return done.stderr.decode().split()[1:2]

    assert ran("--all", "-v", cwd=shop) == ran("-av", "-s", "web", cwd=shop) == ["in"]
    counted = {"--all": b"2 containers", "--all=everywhere": b"3 containers"}
    for option, text in counted.items():
        assert text in projects.rind(option, "-v", "true", cwd=shop).stderr
    assert b"3 containers" in projects.rind("-av", "true", cwd=tmp_path).stderr
    assert b"takes no value except everywhere" in projects.rind("--all=x", "true", cwd=shop).stderr


@pytest.mark.newest_engine
def test_a_one_off_is_not_selected(projects: Projects) -> None:
    shop = projects.up("shop")
    run = ("compose", "run", "--detach", "--name")
    projects.engine.cli(*run, f"{projects.label}-once", "web", "sleep", "1000", cwd=shop)
    try:
        assert projects.chosen(cwd=shop) == f"{projects.name('shop')}-web-1"
        assert projects.chosen("--container", f"{projects.label}-once", cwd=shop)
        listed = projects.rind("--list", cwd=shop).stdout.decode().splitlines()
        (once,) = [line for line in listed if "-once" in line]
        (web,) = [line for line in listed if "-web-1" in line]
        assert "one-off" in once
        assert web.split()[1] == "*"
        projects.engine.cli("compose", "rm", "--stop", "--force", "web", cwd=shop)
        assert projects.chosen(cwd=shop) == f"{projects.label}-once"
        assert b"docker compose run made it" in projects.rind("--all", "true", cwd=shop).stderr
    finally:
        projects.engine.cli("rm", "--force", f"{projects.label}-once")


@pytest.mark.newest_engine
def test_the_compose_file_in_the_environment_is_used(projects: Projects, tmp_path: Path) -> None:
    folder = projects.up("shop/docker")
    projects.up("blog")
    name = f"{projects.name('shop/docker')}-web-1"
    (tmp_path / "shop/app").mkdir()
    variable = {"COMPOSE_FILE": "docker/compose.yaml:docker/more.yaml"}
    assert projects.chosen(cwd=tmp_path / "shop/app", **variable) == name
    assert projects.chosen(cwd=tmp_path, COMPOSE_FILE="shop/docker/compose.yaml") == name
    separated = {"COMPOSE_FILE": "docker/compose.yaml,x", "COMPOSE_PATH_SEPARATOR": ","}
    assert projects.chosen(cwd=tmp_path / "shop", **separated) == name
    # The caller is above the file's folder, without a repository, and then within one.
    assert projects.chosen(cwd=tmp_path / "shop") == name
    (tmp_path / "shop/.git").mkdir()
    assert projects.chosen(cwd=tmp_path / "shop/app") == name
    projects.engine.cli("compose", "stop", "--timeout", "0", cwd=folder)
    assert projects.rind("true", cwd=tmp_path / "shop/app").returncode == 125
    variable = {"COMPOSE_FILE": str(folder / "compose.yaml")}
    assert projects.rind("true", cwd=tmp_path / "blog", **variable).returncode == 125


def test_labels_set_how_a_command_runs(containers: Containers) -> None:
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


@pytest.mark.newest_engine
@pytest.mark.parametrize("image", ["busybox", "django"])
@pytest.mark.parametrize("pre_step", [None, "export STEP=$HOME"])
async def test_a_command_runs_as_the_calling_user(
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    image: str,
    pre_step: str | None,
) -> None:
    """A user unknown to the container still has a home directory and a name."""
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    monkeypatch.setattr(os, "getgid", lambda: 4243)
    target = containers(image, pre_step)
    script = "echo $USER $LOGNAME $HOME; : >$HOME/x && echo $(ls -dn $HOME)"

    async def said(environ: dict[str, str], **more: Any) -> str:
        async with rind.connect(target.engine.host, environ=environ) as client:
            found = await client.find(container=target.name, label=target.label)
            done = await found.run(["sh", "-c", script], user="host", text=True, **more)
            assert isinstance(done.stdout, str)
            return done.stdout

    lines = (await said({"USER": "me"})).splitlines()
    assert lines[0] == "me me /tmp/rind-me"
    assert lines[1].startswith("drwx------ 2 4242 4243 ")
    assert (await said({"USER": "it's/../x"})).startswith("4242 4242 /tmp/rind-4242\n")
    assert (await said({})).startswith("4242 4242 /tmp/rind-4242\n")
    # A home directory that another user may have created is not used.
    target.inside("mkdir /tmp/rind-you; ln -s /tmp/rind-me /tmp/rind-her")
    for name in ("you", "her"):
        assert (await said({"USER": name})).startswith(f"{name} {name} /\n")
    # Explicit variables take precedence, and a known user has a home already.
    assert (await said({}, env={"HOME": "/var/tmp"})).startswith("/var/tmp\n")
    assert (await said({"USER": "me"}, pre_step=False)).startswith("/\n")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    home = target.inside("grep ^app /etc/passwd | cut -d: -f6")
    target.inside(f"chown app {home}")
    assert (await said({"USER": "me"})).startswith(f"{home}\n")


@pytest.mark.newest_engine
async def test_a_program_run_as_the_calling_user_finds_its_home(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    target = containers("django", "source /venv/bin/activate")
    program = "import getpass, os; print(getpass.getuser(), os.access(os.path.expanduser('~'), 2))"
    async with rind.connect(target.engine.host, environ={"LOGNAME": "me"}) as client:
        found = await client.find(container=target.name, label=target.label)
        done = await found.run(["python", "-c", program], user="host", text=True)
        assert done.stdout == "me True\n"


async def test_without_a_shell_there_is_no_home(
    distroless: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    async with rind.connect(distroless.engine.host) as client:
        found = await client.find(container=distroless.name, label=distroless.label)
        with pytest.raises(rind.StartError, match="/bin/sh: not found"):
            await found.run(["/bin/sleep", "0"], user="host")
        done = await found.run(["/bin/sleep", "0"], user="host", pre_step=False)
        assert done.returncode == 0


def test_another_shell_can_be_set(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    target = containers("django", "words=(a b)", "--label", f"{key}.shell=/bin/bash", label=key)
    assert target.rind("-c", "echo ${words[1]}").stdout == b"b\n"
    assert target.rind("printenv", "BASH_VERSION").returncode == 1
    assert target.rind(stdin=b"echo $BASH_VERSION | cut -c1\n").stdout == b"5\n"
    assert target.rind("--shell", "/bin/sh", "true").returncode == 2
    assert target.rind("--no-pre-step", "--shell", "/bin/sh", "true").returncode == 0


def test_a_misspelt_label_is_reported(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    target = containers("busybox", "", "--label", f"{key}.usr=x", label=key)
    done = target.rind("true")
    assert done.returncode == 125
    assert (
        one_line(done.stderr) == f"{target.name}: unknown label {key}.usr: did you mean {key}.user?"
    )


def test_a_misspelt_label_does_not_affect_other_containers(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    wrong = containers("busybox", "", "--label", f"{key}.usr=x", label=key)
    right = containers("busybox", "", label=key)
    done = right.rind("--all", "echo", "ran")
    assert done.returncode == 125
    assert done.stdout.split() == [right.name.encode(), b"|", b"ran"]
    first, *_ = done.stderr.decode().splitlines()
    assert first.startswith(f"rind: {wrong.name}: ")
    assert f"unknown label {key}.usr" in first


def test_a_running_container_precedes_a_paused_one(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    paused = containers("busybox", "", label=key)
    running = containers("busybox", "", label=key)
    paused.engine.cli("pause", paused.name)
    assert running.rind("hostname").returncode == 0


async def test_nothing_found_is_an_error_of_its_own(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        for find in (client.find, client.find_all):
            with pytest.raises(rind.NoContainerError, match=r"has the label rind\.none"):
                await find(label="rind.none")
        with pytest.raises(rind.NoContainerError, match="has the name none"):
            await client.find(container="none")
        found = await client.find_all(label=busybox.label, everywhere=True)
        assert [target.container.name for target in found] == [busybox.name]


@pytest.mark.newest_engine
def test_a_crash_loop_is_reported_as_such(containers: Containers) -> None:
    target = containers("busybox", "", "--restart", "always", command=["false"])
    state = ("inspect", "--format", "{{.State.Restarting}}", target.name)
    wait_until(lambda: target.engine.cli(*state) == "true")
    for words in ([], ["--container", target.name]):
        done = target.rind(*words, "true")
        said = one_line(done.stderr)
        assert done.returncode == 125
        assert target.name in said
        assert not re.search("[0-9a-f]{64}", said)


async def test_find_accepts_a_wanted_or_its_fields(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        with pytest.raises(TypeError, match="wanted cannot be combined with service"):
            await client.find(rind.Wanted(), service="web")


@pytest.mark.parametrize(
    ("script", "on_exit", "runs_on"),
    [
        ("echo; sleep {} & sleep {}", "kill", False),
        ("echo; exec sleep {}", "detach", True),
        ("sleep {} & echo", "kill", True),
    ],
    ids=["running", "detached", "left in the background"],
)
async def test_closing_ends_the_commands_that_are_not_detached(
    busybox: TestContainer,
    script: str,
    on_exit: Literal["kill", "detach"],
    runs_on: bool,  # noqa: FBT001 # a case
) -> None:
    """As when several commands run under one client, without a TaskGroup, and one fails."""
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    is_used, is_closed = asyncio.Event(), asyncio.Event()

    async def use(target: rind.Target) -> None:
        words = script.replace("{}", mark)
        async with target.open_process(script=words, on_exit=on_exit) as process:
            assert await process.stdout.readline() == b"\n"
            has_ended = on_exit == "kill" and runs_on
            if has_ended:
                await process._exec.has_ended.wait()
            is_used.set()
            await is_closed.wait()
            if not has_ended:
                with pytest.raises(rind.Broken, match="was left before its output ended"):
                    await process.stdout.read()

    async with asyncio.timeout(TIMEOUT):
        async with rind.connect(busybox.engine.host) as client:
            using = asyncio.create_task(use(await client.find(container=busybox.name)))
            await is_used.wait()
        is_closed.set()
        await using
    assert (mark in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)) == runs_on
    await asyncio.to_thread(kill_all, busybox, f"[{mark[0]}]{mark[1:]}")


async def test_closing_ends_commands_being_started(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    asked = asyncio.Event()
    start_exec = Engine.start_exec

    async def noticed(self: Engine, exec_id: str, **options: Any) -> HijackedStream:
        asked.set()
        return await start_exec(self, exec_id, **options)

    monkeypatch.setattr(Engine, "start_exec", noticed)
    async with asyncio.timeout(TIMEOUT):
        async with rind.connect(busybox.engine.host) as client:
            target = await client.find(container=busybox.name)
            running = asyncio.create_task(target.run(["sleep", mark]))
            await asked.wait()
        with pytest.raises(rind.Broken, match="was left before its output ended"):
            await running
        with pytest.raises(RuntimeError, match="the client is not connected"):
            await target.run(["true"])
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


# --- hostile working directories --------------------------------------------------------------

PLACES = {
    "removed": "os.mkdir('x'); os.chdir('x'); os.rmdir('../x')",
    "unsearchable": "os.makedirs('x/y'); os.chdir('x/y'); os.chmod('..', 0)",
    "long": "for _ in range(40): os.mkdir('x' * 200); os.chdir('x' * 200)",
    "not UTF-8": "os.mkdir(b'\\xff'); os.chdir(b'\\xff')",
}
# Root may search any directory unless it drops that capability.
SEARCHES_NOTHING = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("place", PLACES)
def test_a_hostile_working_directory_is_handled(
    busybox: TestContainer, tmp_path: Path, place: str
) -> None:
    program = f"import os, sys\n{PLACES[place]}\nos.execvp(sys.argv[1], sys.argv[1:])"
    prefix = SEARCHES_NOTHING if os.getuid() == 0 else []
    try:
        for words in (["-w", "auto", "echo", "ok"], ["--list"], ["--explain", "-w", "auto", "ok"]):
            folder = tmp_path / words[0]
            folder.mkdir()
            done = subprocess.run(
                [*prefix, sys.executable, "-c", program, RIND, *words],
                env=busybox.environ(),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=TIMEOUT,
            )
            assert (done.returncode, done.stderr) == (0, b"")
            assert (b"ok" if "ok" in words else busybox.name.encode()) in done.stdout
    finally:
        for folder in tmp_path.glob("*/x"):
            folder.chmod(0o700)


def test_a_compose_file_above_a_too_long_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("")
    here = str(tmp_path)
    (tmp_path / ".git").mkdir()
    for cwd in ("/".join([here, *["x" * 200] * 40]), f"{here}/\udcff"):
        assert _folder_with(["compose.yaml"], cwd) == _checkout(cwd)[0] == here
    assert _folder_with(["compose.yaml"], "") is None


def test_an_invalid_folder_label_is_ignored(containers: Containers, tmp_path: Path) -> None:
    """A relative folder must not be resolved: the working directory is removed."""
    label = ("--label", "com.docker.compose.project.working_dir=shop/src")
    target = containers("busybox", "", *label)
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f"cd {gone} && rmdir {gone} && exec {RIND} true"],
        env=target.environ(),
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stderr) == (0, b"")


async def test_a_late_answer_times_out(tmp_path: Path) -> None:
    """The engine receives the request, and does not answer."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(rind.Unreachable):
            async with rind.connect(f"unix://{path}", timeout=0.05):
                pass


async def test_a_late_list_times_out(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host, environ={}) as client:
        with pytest.raises(rind.Unreachable, match="has not answered within 1e-06 s"):
            await client.find(container=busybox.name, timeout=1e-6)


async def test_a_closed_or_dropped_client_raises_or_warns(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host, environ={}) as client:
        target = await client.find(container=busybox.name)
        opened = AsyncExitStack()
        process = await opened.enter_async_context(target.open_process(["cat"]))
    with pytest.raises(RuntimeError, match="the command was left"):
        process.stdin.write(b"x")
    await opened.aclose()

    async def drop() -> None:
        await rind.connect(busybox.engine.host, environ={}).__aenter__()
        gc.collect()

    with pytest.warns(ResourceWarning) as warned:
        await drop()
    assert [str(one.message).partition(" (")[0] for one in warned] == [
        f"unclosed <Client of {busybox.engine.host}"
    ]


async def test_hints_of_the_library_are_keywords(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host, environ={}) as client:
        with pytest.raises(rind.SelectionError, match="or choose one with container="):
            await client.find(label="no.such")


async def test_a_target_follows_its_service(projects: Projects, tmp_path: Path) -> None:
    shop = await asyncio.to_thread(projects.up, "shop")
    async with rind.connect(projects.engine.host, environ={}) as client:
        wanted = rind.Wanted(label=projects.label, project=projects.name("shop"))
        left, following = await client.find(wanted), await client.find(wanted, follow=True)
        refreshed, copied = [await client.find(wanted, follow=True) for _ in range(2)]
        before = following.container.id
        assert (await following.run(["true"])).returncode == 0
        assert following.container.id == before
        up = partial(projects.engine.cli, "compose", "up", "--detach", "--force-recreate", cwd=shop)
        await asyncio.to_thread(up)
        await following.put(__file__, "/tmp/there")
        assert (await following.run(["hostname"])).stdout.decode().strip() == (
            following.container.id[:12]
        )
        assert following.container.id != before
        assert (await refreshed.refresh()).id == following.container.id
        hostname = await copied.get("/etc/hostname", tmp_path / "hostname")
        assert hostname.read_text().strip() == following.container.id[:12]
        with pytest.raises(rind.RindError):
            await left.run(["true"])
        await asyncio.to_thread(projects.down)
        with pytest.raises(rind.SelectionError, match="no container on"):
            await following.run(["true"])
        with pytest.raises(rind.Refused, match="No such container"):
            await following.refresh()


async def test_each_step_is_logged(
    busybox: TestContainer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "rind")
    async with rind.connect(busybox.engine.host, environ={}) as client:
        target = await client.find(container=busybox.name)
        async with target.open_process(["sleep", "1000"]) as process:
            exec_id = process.exec_id
    said = "\n".join(record.getMessage() for record in caplog.records if record.name[:4] == "rind")
    in_turn = [
        rf"connected to {busybox.engine.host}, API \d+\.\d+, in \d\.\d+ s",
        f"chose the container {busybox.name}: named",
        f"created exec {exec_id} in {busybox.name}",
        rf"started exec {exec_id} in \d\.\d+ s",
        rf"signal 15 to \d processes of exec {exec_id}",
    ]
    assert re.search(".*".join(in_turn), said, re.DOTALL), said
    caplog.clear()
    with pytest.raises(rind.StartError) as caught:
        await rind.run(["nope"], host=busybox.engine.host, container=busybox.name)
    assert caught.value.reason.startswith("nope: not found in the PATH of ")


async def test_a_programs_aiodocker_client_is_used_and_left_open(
    busybox: TestContainer,
) -> None:
    async with aiodocker.Docker(url=busybox.engine.host) as docker:
        shown = await docker.containers.get(busybox.name)
        async with rind.connect(docker=docker) as client:
            assert client.docker is docker
            target = await client.reach(shown)
            done = await target.run(script="cat; exit 3", input=b"x")
            assert (done.stdout, done.returncode) == (b"x", 3)
            async with target.open_process(["sleep", "1000"], kill_after=0):
                pass
            with pytest.raises(rind.UsageError, match="docker cannot be combined with host"):
                rind.connect("unix:///x", docker=docker)
        assert (await docker.containers.get(busybox.name)).id == target.container.id


async def test_the_clients_aiodocker_client_works(busybox: TestContainer) -> None:
    client = rind.connect(busybox.engine.host)
    with pytest.raises(RuntimeError, match="not connected"):
        _ = client.docker
    async with client:
        docker = client.docker
        assert client.docker is docker
        shown = await docker.containers.get(busybox.name)
        for named in (shown, shown.id, shown.id[:12], busybox.name):
            assert (await client.reach(named)).container.id == shown.id
        with pytest.raises(TypeError, match=r"use await client.reach"):
            client.target(shown)  # type: ignore[arg-type] # that is the test
    assert docker.session.closed


def test_a_program_without_aiodocker_does_not_load_it(busybox: TestContainer) -> None:
    program = f"""
import asyncio, sys, rind

async def main():
    async with rind.connect() as client:
        await (await client.find(container={busybox.name!r})).run(["true"], check=True)

asyncio.run(main())
assert not {{"aiodocker", "aiohttp"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], env=busybox.environ(), check=True)
