"""Shims, programs named after commands, on real engines."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from conftest import Containers, TestContainer, one_line


def run(container: TestContainer, *args: str) -> bytes:
    done = container.rind("-q", *args)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout


def test_a_shim_runs_the_command_of_its_name(busybox: TestContainer, tmp_path: Path) -> None:
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
    assert one_line(busybox.rind("--shim", str(tmp_path / "mine"), "x").stderr) == (
        f"cannot write shims into {tmp_path}/mine: File exists"
    )


def test_a_shim_that_cannot_be_written_is_an_error(busybox: TestContainer, tmp_path: Path) -> None:
    done = busybox.rind("--shim", str(tmp_path), "new", "x" * 300)
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith(f"cannot write the shim {tmp_path}/xxx")
    assert said.endswith("File name too long")
    done = busybox.rind("--shim", "/proc/self", "new")
    assert one_line(done.stderr).startswith("cannot write shims into /proc/self: ")
    assert list(tmp_path.iterdir()) == []


def test_a_shim_written_by_the_module_links_to_the_program(
    busybox: TestContainer, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "rind", "--shim", str(tmp_path), "echo"]
    subprocess.run(words, env=busybox.environ(), check=True)
    assert (tmp_path / "echo").readlink() == Path(sys.executable).with_name("rind")


def test_a_shim_with_options_needs_no_environment(busybox: TestContainer, tmp_path: Path) -> None:
    """An editor may call it without HOME, PATH or a terminal, from any directory."""
    host = ["--host", busybox.engine.host, "--container", busybox.name]
    # Options before or after the folder, and one for a command with a different name.
    shims = ["env=-e 'B=b b'", "ls=-w / echo -n"]
    assert run(busybox, "-e", "A=it's", "--shim", str(tmp_path), *host, *shims) == b""
    assert [path.name for path in tmp_path.iterdir()] == ["env", "ls"]
    done = subprocess.run([tmp_path / "env"], env={}, cwd="/", capture_output=True, check=True)
    assert {b"A=it's", b"B=b b"} <= set(done.stdout.splitlines())
    done = subprocess.run([tmp_path / "ls", "-l", ""], env={}, capture_output=True, check=True)
    assert done.stdout == b"-l "


def test_a_shim_is_overwritten_by_a_newer_one(busybox: TestContainer, tmp_path: Path) -> None:
    for options in ([], ["-e", "A=1"], ["-e", "A=2"], []):
        run(busybox, *options, "--shim", str(tmp_path), "env")
        done = subprocess.run(
            [tmp_path / "env"], env=busybox.environ(), capture_output=True, check=True
        )
        found = [line.decode() for line in done.stdout.splitlines() if line.startswith(b"A=")]
        assert found == options[1:]


def test_invalid_shim_options_are_rejected_before_writing(
    busybox: TestContainer, tmp_path: Path
) -> None:
    for words, said in (
        (["new", "x=--nope"], "unknown option --nope"),
        (
            ["new", "x=--list"],
            "the shim x must run a command by its name, but has the options: --list",
        ),
        (["new", "x=-c true"], "but has the options: -c true"),
        (["new", "x=-e 'A"], 'cannot split the options of the shim x: "-e \'A"'),
        (["new", "x=-e"], "-e needs a value"),
        (["new", "x=--lsp --all"], "cannot be combined"),
        (["new", "=--lsp"], "invalid name for a shim: ''"),
    ):
        done = busybox.rind("--shim", str(tmp_path), *words)
        assert done.returncode == 125
        assert said in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_and_its_line_for_the_path_printed(
    busybox: TestContainer, tmp_path: Path
) -> None:
    folder = tmp_path / "my bin" / "shims"
    done = busybox.rind("--shim", str(folder), "env", SHELL="/bin/bash")
    line = f"export PATH='{folder}':$PATH"
    assert one_line(done.stderr) == f"{folder} is not on the PATH; add it with: {line}"
    path = subprocess.run(
        ["sh", "-c", f'{line}; echo "$PATH"'], capture_output=True, check=True, text=True
    ).stdout.strip()
    assert busybox.rind("--shim", str(folder), "env", PATH=path).stderr == b""
    done = busybox.rind("--shim", str(tmp_path), "env", SHELL="/usr/bin/fish")
    assert one_line(done.stderr).endswith(f"fish_add_path {tmp_path}")


def shipping(containers: Containers, shims: str) -> TestContainer:
    label = f"test.{uuid.uuid4().hex}"
    return containers("busybox", "", "--label", f"{label}.shims={shims}", label=label)


def test_a_project_ships_its_shims(containers: Containers, tmp_path: Path) -> None:
    shims = "usleep id=--map-paths 'both=-w / echo -n' 'run-parts'"
    target = shipping(containers, shims)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "usleep").symlink_to("/bin/true")
    (elsewhere / "id").symlink_to("/bin/true")
    folder = tmp_path / "shims"
    path = f"{folder}{os.pathsep}{elsewhere}"
    done = target.rind("--shim", str(folder), PATH=path)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        *(
            f"rind: left out the shim {name}: {elsewhere}/{name} is on the PATH; to have both: "
            f"rind --shim {folder} {shim}"
            for name, shim in (("usleep", "usleep"), ("id", "id=--map-paths"))
        )
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["both", "run-parts"]
    done = subprocess.run(
        [folder / "both", "x"], env=target.environ(), capture_output=True, check=True
    )
    assert done.stdout == b"x"


def test_a_projects_shims_stay_in_the_container(containers: Containers, tmp_path: Path) -> None:
    for shims, said in (
        ("a a1=-e\\ TOKEN", "must not have -e for the shim a1"),
        ("a=--host=tcp://x", "must not have --host=tcp://x for the shim a"),
        ("a=-ntz", "unknown option -z"),
        ("a=-c\\ true", "must not have -c for the shim a"),
        ("a=-nH\\ tcp://x", "must not have -nH for the shim a"),
        ("../a", "invalid name for a shim: '../a'"),
        ("'a", "cannot split the label"),
        ("", "has no label"),
    ):
        target = shipping(containers, shims)
        done = target.rind("--shim", str(tmp_path / "shims"))
        assert done.returncode == 125
        assert said in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []
