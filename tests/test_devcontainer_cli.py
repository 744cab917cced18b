"""Dev containers that the devcontainer CLI starts, on a real engine."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, Containers, TestEngine, one_line

DEVCONTAINER = os.environ.get("RIND_TEST_DEVCONTAINER", "devcontainer")
CONFIGURATION = {
    "updateRemoteUserUID": False,
    "remoteUser": "app",
    "containerEnv": {"OWN": "1"},
    "remoteEnv": {
        "PLAIN": "a b",
        "JOINED": "${containerEnv:OWN}:/x",
        "MINE": "${localEnv:HOME}",
        "OTHER": "${localEnv:NO_SUCH_NAME:default}",
    },
    "workspaceMount": "source=${localWorkspaceFolder},target=/workspaces/shop,type=bind",
    "workspaceFolder": "/workspaces/shop",
    "runArgs": ["--network=none", "--init"],
}


@dataclass(frozen=True)
class DevContainer:
    __test__ = False

    engine: TestEngine
    folder: Path
    name: str

    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": "/h", "DOCKER_HOST": self.engine.host}

    def devcontainer(self, action: str, *words: str) -> str:
        where = ("--workspace-folder", str(self.folder), "--docker-path", self.engine.docker)
        done = subprocess.run(
            [DEVCONTAINER, action, *where, *words],
            env={**self.env(), "DOCKER_CONFIG": self.engine.config},
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT,
        )
        return done.stdout

    def rind(
        self, *words: str, cwd: Path | None = None, **env: str
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [RIND, *words],
            env={**self.env(), **env},
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )


@pytest.fixture
def shop(engine: TestEngine, tmp_path: Path) -> Iterator[DevContainer]:
    folder = tmp_path / "shop"
    (folder / ".devcontainer").mkdir(parents=True)
    (folder / "src").mkdir()
    file = folder / ".devcontainer/devcontainer.json"
    file.write_text(json.dumps({"image": engine.images["django"], **CONFIGURATION}))
    started = json.loads(DevContainer(engine, folder, "").devcontainer("up").splitlines()[-1])
    name = engine.cli("inspect", "--format", "{{.Name}}", started["containerId"]).lstrip("/")
    yield DevContainer(engine, folder, name)
    engine.cli("rm", "--force", "--volumes", name)


@pytest.mark.newest_engine
def test_a_command_runs_as_with_the_devcontainer_cli(shop: DevContainer) -> None:
    def variables(text: str) -> dict[str, str]:
        found = dict(line.split("=", 1) for line in text.splitlines())
        # Variables of the CLI's login shell, and of Rind's leash.
        return {name: found[name] for name in found.keys() - {"SHLVL", "_", "RIND_EXEC_ID"}}

    theirs = variables(shop.devcontainer("exec", "env"))
    assert theirs["JOINED"] == "1:/x"
    assert variables(shop.rind("env").stdout.decode()) == theirs
    assert shop.rind("id", "-un").stdout == b"app\n"
    assert shop.rind("pwd").stdout.decode() == shop.devcontainer("exec", "pwd")
    assert shop.rind("pwd", cwd=shop.folder / "src").stdout == b"/workspaces/shop/src\n"
    said = shop.rind("--explain", "-e", "PLAIN=mine", "env").stdout.decode()
    assert f"container: {shop.name} (the one for {shop.folder})" in said
    assert "user:      app (devcontainer.metadata)" in said
    assert "workdir:   /workspaces/shop (devcontainer.metadata)" in said
    assert "env:       PLAIN, JOINED MINE OTHER (devcontainer.metadata)" in said


@pytest.mark.newest_engine
def test_the_dev_container_is_selected(
    shop: DevContainer, containers: Containers, tmp_path: Path
) -> None:
    # The containers of no other test may have the label meanwhile.
    with Path(shop.engine.config, f"{shop.engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        labelled = containers("busybox", "", label="app.rind")
        # A labelled container elsewhere does not fit better, but one in the folder does.
        assert shop.rind("id", "-un").stdout == b"app\n"
        assert shop.rind("id", "-un", cwd=tmp_path).stdout != b"app\n"
        labels = ("--label", f"com.docker.compose.project.working_dir={shop.folder}")
        near = containers("busybox", "", *labels, label="app.rind")
        assert shop.rind("id", "-un").stdout == b"root\n"
        shop.engine.cli("rm", "--force", near.name)
        shop.engine.cli("kill", shop.name)
        shop.engine.cli("wait", shop.name)
        done = shop.rind("true")
        assert done.returncode == 125
        said = one_line(done.stderr)
        assert f"{shop.name} is the dev container there, but exited (137)" in said
        assert said.endswith(f"start it with: docker start {shop.name})")
        shop.engine.cli("rm", "--force", labelled.name)
        nowhere = shop.rind("true", cwd=tmp_path)
        assert "has the label app.rind: " in one_line(nowhere.stderr)
