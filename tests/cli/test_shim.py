"""Links by the names of commands, on real engines."""

import subprocess
import sys
from pathlib import Path

from conftest import RIND, TestContainer, one_line


def run(container: TestContainer, *args: str) -> bytes:
    done = container.rind(*args)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout


def test_a_shim_runs_what_it_is_called(busybox: TestContainer, tmp_path: Path) -> None:
    assert run(busybox, "--shim", str(tmp_path), "echo", "id") == b""
    assert run(busybox, "--shim", str(tmp_path), "echo") == b""
    done = subprocess.run(
        [tmp_path / "echo", "--help", "-c", "two  words"],
        env=busybox.environ(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"--help -c two  words\n"
    done = subprocess.run([tmp_path / "id", "-u"], env=busybox.environ(), stdout=-1, check=True)
    assert done.stdout == b"0\n"


def test_a_shim_overwrites_nothing(busybox: TestContainer, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "link").symlink_to("/bin/true")
    for name in ("mine", "link", "a/b", "", "rind", "-x"):
        done = busybox.rind("--shim", str(tmp_path), "new", name)
        assert done.returncode == 125
        assert repr(name) in one_line(done.stderr) or name in one_line(done.stderr)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "mine").read_text() == "precious"
    assert b"needs the names" in busybox.rind("--shim", str(tmp_path)).stderr
    assert b"there is none at" in busybox.rind("--shim", str(tmp_path / "no"), "x").stderr


def test_a_shim_that_cannot_be_written_is_told(busybox: TestContainer, tmp_path: Path) -> None:
    done = busybox.rind("--shim", str(tmp_path), "new", "x" * 300)
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith(f"cannot write the link {tmp_path}/xxx")
    assert said.endswith("File name too long")
    done = busybox.rind("--shim", "/proc/self", "new")
    assert one_line(done.stderr).startswith("cannot write the link /proc/self/new: ")
    assert list(tmp_path.iterdir()) == []


def test_a_shim_of_the_module_leads_to_the_program(busybox: TestContainer, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "rind", "--shim", str(tmp_path), "echo"]
    subprocess.run(words, env=busybox.environ(), check=True)
    assert (tmp_path / "echo").readlink() == Path(RIND)
