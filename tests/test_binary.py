"""The self-contained program, where there is no Python and no library at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TIMEOUT, TestContainer

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.newest_engine


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("binary") / "rind"
    subprocess.run([sys.executable, ROOT / ".ci/binary/build.py", file], check=True)
    return file


def test_what_is_lacking_is_one_line(tmp_path: Path) -> None:
    build = ROOT / ".ci" / "binary" / "build.py"
    for words, said in (
        (("-I", "-S", build, tmp_path / "rind"), "has no Rind to build from"),
        ((build, tmp_path / "none" / "rind"), f"there is no folder {tmp_path}/none to write"),
    ):
        done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert said in done.stderr.decode()


def chrooted(root: Path, *words: str, stdin: bytes = b"", **env: str) -> tuple[int, bytes, bytes]:
    """Run a program in a root file system that has nothing else."""
    chroot = shutil.which("chroot")
    assert chroot
    done = subprocess.run(
        [chroot, root, "/rind", *words],
        env=env,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    return done.returncode, done.stdout, done.stderr


def test_in_an_empty_root_over_tls(binary: Path, busybox: TestContainer, tmp_path: Path) -> None:
    engine = busybox.engine
    assert engine.tls
    shutil.copy2(binary, tmp_path / "rind")
    shutil.copytree(engine.tls["files"], tmp_path / "certificates")
    env = {
        "DOCKER_HOST": engine.tls["host"],
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certificates",
    }
    for _ in range(2):  # it unpacks itself, and finds that
        words = ["--container", busybox.name, "-c", "cat; echo x >&2; exit 7"]
        assert chrooted(tmp_path, *words, stdin=b"\0\xff\n", **env) == (7, b"\0\xff\n", b"x\n")
    (own,) = (tmp_path / "var/tmp").iterdir()
    assert [path.name for path in own.iterdir() if path.name.startswith(".")] == []
    status, said, _ = chrooted(tmp_path, "--man")
    assert (status, said[:4]) == (0, b".TH ")
    status, said, _ = chrooted(tmp_path, "--completion", "bash")
    assert b"complete" in said


def test_in_a_container(binary: Path, busybox: TestContainer) -> None:
    """Of an image with no library of any kind; by a shim too, on a terminal."""
    engine = busybox.engine
    socket = engine.host.removeprefix("unix://")
    script = "mkdir /shims; /rind --shim /shims -q --container $1 id && exec /shims/id -u"
    command = ["run", "--rm", "--network", "none", "-v", f"{binary}:/rind", "-v"]
    command += [f"{socket}:/var/run/docker.sock", engine.images["busybox"], "sh", "-c", script]
    assert engine.cli(*command, "sh", busybox.name) == "0"


def test_a_cache_that_is_not_only_ours_is_not_used(binary: Path, tmp_path: Path) -> None:
    cache, home = tmp_path / "cache", tmp_path / "home"
    (cache / "rind").mkdir(parents=True)
    (cache / "rind").chmod(0o777)
    home.mkdir()
    env = {"XDG_CACHE_HOME": str(cache), "HOME": str(home)}
    done = subprocess.run([binary, "--version"], env=env, capture_output=True, check=True)
    assert done.stdout.startswith(b"rind ")
    assert list((cache / "rind").iterdir()) == []
    assert len(list((home / ".cache" / "rind").iterdir())) == 1


def test_a_home_that_is_not_there_is_not_made(binary: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path / "none")}
    subprocess.run([binary, "--version"], env=env, capture_output=True, check=True)
    assert list(tmp_path.iterdir()) == []


def test_many_first_starts_at_once(binary: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    started = [
        subprocess.Popen([binary, "--version"], env=env, stdout=subprocess.PIPE) for _ in range(6)
    ]
    for process in started:
        assert process.communicate()[0].startswith(b"rind ")
        assert process.returncode == 0
    assert len(list((tmp_path / ".cache" / "rind").iterdir())) == 1


def test_a_file_that_was_cut_is_told(binary: Path, tmp_path: Path) -> None:
    cut = tmp_path / "rind"
    cut.write_bytes(binary.read_bytes()[:-1])
    cut.chmod(0o755)
    done = subprocess.run([cut, "true"], capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr == f"rind: cannot read its own file {cut}: copy it again\n".encode()
