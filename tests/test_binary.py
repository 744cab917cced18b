"""The self-contained program, in places without Python or any library."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TIMEOUT, TestContainer, made_once, wait_until

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.newest_engine


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(folder: Path) -> None:
        subprocess.run([sys.executable, ROOT / ".ci/binary/build.py", folder / "rind"], check=True)

    return made_once(tmp_path_factory, "binary", build) / "rind"


def test_a_missing_requirement_is_one_line(tmp_path: Path) -> None:
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
    """Run a program in a root file system that contains only it."""
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


def test_it_runs_in_an_empty_root_over_tls(
    binary: Path, busybox: TestContainer, tmp_path: Path
) -> None:
    engine = busybox.engine
    assert engine.tls
    shutil.copy2(binary, tmp_path / "rind")
    shutil.copytree(engine.tls["files"], tmp_path / "certificates")
    env = {
        "DOCKER_HOST": engine.tls["host"],
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certificates",
    }
    for _ in range(2):  # the first unpacks itself, and the second finds the copy
        words = ["--container", busybox.name, "-c", "cat; echo x >&2; exit 7"]
        assert chrooted(tmp_path, *words, stdin=b"\0\xff\n", **env) == (7, b"\0\xff\n", b"x\n")
    (own,) = (tmp_path / "var/tmp").iterdir()
    assert len(list(own.iterdir())) == 1
    status, said, _ = chrooted(tmp_path, "--man")
    assert (status, said[:4]) == (0, b".TH ")
    status, said, _ = chrooted(tmp_path, "--completion", "bash")
    assert b"complete" in said


def test_it_runs_in_a_container(binary: Path, busybox: TestContainer) -> None:
    """The image has no library; the program also runs by a shim, and on a terminal."""
    engine = busybox.engine
    socket = engine.host.removeprefix("unix://")
    script = "mkdir /shims; /rind --shim /shims -q --container $1 id && exec /shims/id -u"
    command = ["run", "--rm", "--network", "none", "-v", f"{binary}:/rind", "-v"]
    command += [f"{socket}:/var/run/docker.sock", engine.images["busybox"], "sh", "-c", script]
    assert engine.cli(*command, "sh", busybox.name) == "0"


def test_a_shared_cache_is_not_used(binary: Path, tmp_path: Path) -> None:
    cache, home = tmp_path / "cache", tmp_path / "home"
    (cache / "rind").mkdir(parents=True)
    (cache / "rind").chmod(0o777)
    home.mkdir()
    env = {"XDG_CACHE_HOME": str(cache), "HOME": str(home)}
    done = subprocess.run([binary, "--version"], env=env, capture_output=True, check=True)
    assert done.stdout.startswith(b"rind ")
    assert list((cache / "rind").iterdir()) == []
    assert len(list((home / ".cache" / "rind").iterdir())) == 1


@pytest.mark.parametrize(
    "prepare",
    [
        "mkdir -p /home/me && chown 4242 /home/me",
        "mkdir -p /home/me/.cache && chown 4242 /home/me",
        "mkdir -p /home/me/.cache/rind && chown 4242 /home/me/.cache",
        "mkdir -p /home/me && chmod 777 /home/me",
        "mkdir -p /home/me /srv/me && chown 4242 /srv/me && ln -s /srv/me /home/me/.cache",
        "mkdir -p /srv/me && chown 4242 /srv/me && mkdir /home && ln -s /srv/me /home/me",
        "mkdir -p /home/me/.cache && chown 4242 /home",
    ],
)
def test_a_cache_that_another_user_can_replace_is_not_used(
    binary: Path, tmp_path: Path, prepare: str
) -> None:
    """As with sudo -E: files that the user puts there would run as root."""
    shutil.copy2(binary, tmp_path / "rind")
    local = prepare.replace(" /", f" {tmp_path}/")
    subprocess.run(["sh", "-ec", local.replace(f"-s {tmp_path}", "-s ")], check=True)
    (tmp_path / "var/tmp").mkdir(parents=True)
    for name, folder in (("HOME", "/home/me"), ("XDG_CACHE_HOME", "/home/me/.cache")):
        status, said, _ = chrooted(tmp_path, "--version", stdin=b"", **{name: folder})
        assert (status, said[:5]) == (0, b"rind ")
    (tree,) = (path.parent for path in tmp_path.rglob(".complete"))
    assert tree.parent == tmp_path / "var/tmp/rind-0"


def test_a_missing_home_is_not_created(binary: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path / "none")}
    subprocess.run([binary, "--version"], env=env, capture_output=True, check=True)
    assert list(tmp_path.iterdir()) == []


def test_concurrent_first_starts_share_one_tree(binary: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    started = [
        subprocess.Popen([binary, "--version"], env=env, stdout=subprocess.PIPE) for _ in range(6)
    ]
    for process in started:
        assert process.communicate()[0].startswith(b"rind ")
        assert process.returncode == 0
    assert len(list((tmp_path / ".cache" / "rind").iterdir())) == 1


def test_first_starts_may_have_the_same_process_number(binary: Path, tmp_path: Path) -> None:
    """As in containers that share a cache."""
    alike = ("unshare", "--pid", "--fork", "--kill-child")
    started = [
        subprocess.Popen(
            [*alike, binary, "--version"], env={"HOME": str(tmp_path)}, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    for process in started:
        assert process.communicate()[0].startswith(b"rind ")
        assert process.returncode == 0
    (tree,) = (tmp_path / ".cache" / "rind").iterdir()
    # The copy is complete: it has every module that a command may import.
    libraries = f"/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    program = f"import sys; sys.path.append(sys.prefix + {libraries!r}); "
    program += "import asyncio, aiodocker, prompt_toolkit, rind.attach"
    python = (tree / "lib/ld.so", "--library-path", tree / "lib", tree / "bin/python3")
    done = subprocess.run([*python, "-ISc", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def started(binary: Path, home: Path) -> bytes:
    done = subprocess.run(
        [binary, "--version"], env={"HOME": str(home)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_an_incomplete_tree_is_replaced(binary: Path, tmp_path: Path) -> None:
    started(binary, tmp_path)
    (tree,) = (tmp_path / ".cache/rind").iterdir()
    (tree / ".complete").unlink()
    (tree / "start.pyc").unlink()
    assert started(binary, tmp_path).startswith(b"rind ")
    assert [*(tmp_path / ".cache/rind").iterdir()] == [tree]
    assert (tree / ".complete").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(
    binary: Path, tmp_path: Path, number: signal.Signals
) -> None:
    base = tmp_path / ".cache/rind"
    with subprocess.Popen(
        [binary, "--version"], env={"HOME": str(tmp_path)}, stdout=subprocess.PIPE
    ) as process:
        wait_until(lambda: any(base.glob(".unpacking-*/lib")))
        process.send_signal(number)
        assert process.communicate()[0] == b""
    assert process.returncode == -number
    assert [*base.iterdir()] == []


def test_unused_copies_are_removed(binary: Path, tmp_path: Path) -> None:
    base = tmp_path / ".cache/rind"
    with subprocess.Popen(
        [binary, "--version"], env={"HOME": str(tmp_path)}, stdout=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: any(base.glob(".unpacking-*/lib")))
        process.kill()
    (killed,) = base.iterdir()
    for name in ("1.0-old", "1.1-used", "1.2-new", ".mine"):
        (base / name).mkdir()
        (base / name / ".complete").touch()
    month = 31 * 24 * 3600
    for path in (base / "1.0-old/.complete", base / "1.1-used/.complete", base / ".mine", killed):
        os.utime(path, (time.time() - month,) * 2)
    used = os.open(base / "1.1-used", os.O_RDONLY)
    fcntl.flock(used, fcntl.LOCK_SH)
    try:
        started(binary, tmp_path)
        found = {path.name for path in base.iterdir()}
        assert {"1.1-used", "1.2-new", ".mine"} < found
        assert len(found) == 4
    finally:
        os.close(used)


def test_a_copy_in_use_is_kept(binary: Path, busybox: TestContainer, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "DOCKER_HOST": busybox.engine.host}
    with subprocess.Popen(
        [binary, "-T", "--container", busybox.name, "sh", "-c", "echo; read x"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"\n"
        (tree,) = (tmp_path / ".cache/rind").iterdir()
        held = os.open(tree, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.stdin.close()
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)


def test_stdin_may_be_a_folder_and_the_encoding_wrong(binary: Path, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    env = {"HOME": str(tmp_path), "PYTHONIOENCODING": "bogus"}
    done = subprocess.run([binary, "true"], env=env, stdin=folder, capture_output=True, check=False)
    os.close(folder)
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr == b"rind: stdin is a folder, which cannot be read\n"
    done = subprocess.run([binary, "--version"], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_truncated_file_is_reported(binary: Path, tmp_path: Path) -> None:
    cut = tmp_path / "rind"
    cut.write_bytes(binary.read_bytes()[:-1])
    cut.chmod(0o755)
    done = subprocess.run([cut, "true"], capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr == f"rind: cannot read its own file {cut}: copy it again\n".encode()
