"""Rind in a container of the engine that it talks to, as in a dev container with its socket."""

import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Containers, TestContainer, TestEngine

import rind
from rind.find.within import own_id

SOURCES = Path(rind.__file__).parent
ID = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Workplace:
    """The caller's own container, with the folder ``shop`` at /workspaces/shop."""

    outer: TestContainer
    folder: Path
    label: str

    def rind(
        self, *words: str, cwd: str = "/workspaces/shop/src", **env: str
    ) -> tuple[int, str, str]:
        variables = {"RIND_LABEL": self.label, "PYTHONPATH": "/rind", **env}
        options = [word for item in variables.items() for word in ("-e", "=".join(item))]
        done = self.outer.rind("-T", *options, "-w", cwd, "python3", "-m", "rind", *words)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def workplace(engine: TestEngine, containers: Containers, tmp_path: Path) -> Workplace:
    for folder in ("shop/src", "shop2", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "shop/compose.yaml").touch()
    (tmp_path / "shop/src/x.py").write_text("x = 1\n")
    volumes = {
        engine.host.removeprefix("unix://"): "/var/run/docker.sock",
        str(SOURCES): "/rind/rind",
        str(tmp_path / "shop"): "/workspaces/shop",
    }
    options = [word for item in volumes.items() for word in ("--volume", ":".join(item))]
    outer = containers(
        "django", None, *options, label="outer", name=f"rind-outer-{uuid.uuid4().hex}"
    )
    outer.env["RIND_CONTAINER"] = outer.name
    return Workplace(outer, tmp_path, f"test.{uuid.uuid4().hex[:8]}")


@pytest.mark.newest_engine
def test_the_working_directory_is_the_hosts(workplace: Workplace, containers: Containers) -> None:
    project = "com.docker.compose.project"

    def stack(name: str) -> TestContainer:
        folder = workplace.folder / name
        labels = (f"{project}={name}", f"{project}.working_dir={folder}")
        options = [word for label in labels for word in ("--label", label)]
        options += ["--volume", f"{folder}:/code", "--label", f"{workplace.label}.workdir=auto"]
        return containers("busybox", "", *options, label=workplace.label)

    shop, other = stack("shop"), stack("shop2")
    assert workplace.rind("pwd") == (0, "/code/src\n", "")
    status, out, _ = workplace.rind("--map-paths", "cat", "/workspaces/shop/src/x.py", cwd="/")
    assert (status, out) == (0, "x = 1\n")
    status, out, _ = workplace.rind(
        "--map-paths", "pwd", "/workspaces/shop/src", cwd="/workspaces/shop"
    )
    assert out == "/workspaces/shop\n"
    assert workplace.rind("--container", shop.name, "pwd") == (0, "/code/src\n", "")
    assert workplace.rind("-p", "shop2", "pwd") == (0, "/\n", "")
    # No other folder is taken for it.
    shop.kill()
    status, out, said = workplace.rind("pwd")
    assert (status, out) == (125, "")
    assert f"docker start {shop.name}" in said
    shop.engine.cli("rm", "--force", shop.name)
    status, out, said = workplace.rind("pwd")
    assert (status, out) == (125, "")
    assert f"choose one of another project with --project shop2 ({other.name})" in said


@pytest.mark.newest_engine
def test_a_folder_of_the_same_name_is_not_the_callers(
    workplace: Workplace, containers: Containers
) -> None:
    """The other container's folder is the host's; the caller's is inside its own container."""
    options = ("--volume", "/usr:/code", "--label", f"{workplace.label}.workdir=auto")
    containers("busybox", "", *options, label=workplace.label)
    assert workplace.rind("pwd", cwd="/usr/lib") == (0, "/\n", "")


@pytest.mark.newest_engine
def test_rind_runs_rind_in_a_container(workplace: Workplace, containers: Containers) -> None:
    inner = containers("busybox", "", label=workplace.label)
    status, out, said = workplace.rind("-v", "-c", "exec cat /proc/self/environ")
    assert status == 0
    assert f"in {inner.name} (the only one with the label {workplace.label})" in said
    variables = dict(part.split("=", 1) for part in out.split("\0") if part)
    assert "PYTHONPATH" not in variables
    assert len(variables["RIND_EXEC_ID"]) == 32


@pytest.mark.parametrize(
    ("root", "point", "found"),
    [
        (f"/var/lib/docker/containers/{ID}/hostname", "/etc/hostname", ID),
        (f"/var/lib/containers/storage/overlay-containers/{ID}/userdata/hosts", "/etc/hosts", ID),
        (f"/var/lib/docker/containers/{ID}/hostname", "/mnt/hostname", None),
        ("/", f"/var/lib/docker/containers/{ID}/mounts/shm", None),
        ("/var/lib/docker/containers/x/hostname", "/etc/hostname", None),
    ],
)
def test_the_own_container_is_recognized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, point: str, found: str | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/x rw\n"
        f"36 22 8:1 {root} {point} rw,relatime - ext4 /dev/x rw\n"
        "containers/\n"
    )
    monkeypatch.setattr("rind.find.within._MOUNTS", str(mounts))
    monkeypatch.setattr("rind.find.within.socket.gethostname", lambda: "box")
    assert own_id() == found
    mounts.unlink()
    assert own_id() is None
    mounts.write_text("")
    monkeypatch.setattr("rind.find.within.socket.gethostname", lambda: ID[:12])
    assert own_id() == ID[:12]
