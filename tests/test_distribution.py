"""The published files, installed as users install them, and run without the sources."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import TestContainer, made_once

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def build(source: Path, into: Path) -> tuple[Path, Path]:
    """Return the wheel, built from the sdist, and the sdist."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", into)
    run(*command, cwd=source, SOURCE_DATE_EPOCH="1700000000")
    return made(into)


def made(folder: Path) -> tuple[Path, Path]:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    def make(folder: Path) -> None:
        with umask(0o022):
            build(ROOT, folder)

    return made(made_once(tmp_path_factory, "dist", make))


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    return {name for name in names if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def offline(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return pip's options for installing from a folder that has every needed package.

    pip fills the folder, because only pip is configured to reach an index here.
    """

    def download(folder: Path) -> None:
        run(sys.executable, "-m", "pip", "download", "-q", "-d", folder, built[0], cwd=folder)

    folder = made_once(tmp_path_factory, "packages", download)
    return ["--no-index", "--find-links", str(folder)]


def test_wheel_and_sdist_have_the_expected_files(
    built: tuple[Path, Path], tracked: set[str]
) -> None:
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "rind").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert "rind/py.typed" in names
    for place in (
        "man/man1/rind.1",
        "bash-completion/completions/rind",
        "zsh/site-functions/_rind",
        "fish/vendor_completions.d/rind.fish",
    ):
        assert any(name.endswith(f".data/data/share/{place}") for name in names)
    with tarfile.open(sdist) as tar:
        inside = {name.partition("/")[2] for name in tar.getnames()} - {"PKG-INFO"}
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "tests/run", ".ci/binary/launcher.c"):
        assert name in inside
    assert inside <= tracked
    written = re.compile(r"rind-[^/]+\.(data|dist-info)/")
    assert {name for name in names if not written.match(name)} <= tracked


def test_builds_are_reproducible(
    built: tuple[Path, Path], tracked: set[str], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with umask(0o077):
        run("cp", "--parents", "--target-directory", source, *tracked, cwd=ROOT)
        again = build(source, tmp_path / "dist")
    for first, second in zip(built, again, strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.newest_engine
@pytest.mark.parametrize("tool", ["pip", "uv tool"])
def test_rind_runs_without_its_sources(
    built: tuple[Path, Path],
    offline: list[str],
    busybox: TestContainer,
    tmp_path: Path,
    tool: str,
) -> None:
    wheel, _ = built
    if tool == "pip":
        run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
        run(tmp_path / "venv/bin/python", "-m", "pip", "install", *offline, wheel, cwd=tmp_path)
        program = tmp_path / "venv/bin/rind"
        assert (tmp_path / "venv/share/man/man1/rind.1").exists()
    else:
        places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
        python = ("--python", sys.executable)
        run(PROGRAMS / "uv", "tool", "install", *python, *offline, wheel, cwd=tmp_path, **places)
        program = tmp_path / "bin/rind"
    env = busybox.environ(PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    said = run(program, "--container", busybox.name, "echo", "two  words", cwd=tmp_path, **env)
    assert said == "two  words\n"
    assert run(program, "--version", cwd=tmp_path).startswith("rind ")


def test_the_lock_files_have_all_declared_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert project["build-system"]["requires"] == [
        one for one in extras["build"] if one.startswith("hatchling==")
    ]
    pins = {}
    for extra in ("build", "dev"):
        locked = (ROOT / ".ci" / "lock" / f"{extra}.txt").read_text()
        pins[extra] = dict(re.findall(r"^([\w-]+)==([^\s;]+)", locked, re.MULTILINE))
        declared = [*project["project"]["dependencies"], *extras["build"], *extras[extra]]
        names = {re.split(r"[^\w-]", one)[0].lower().replace("_", "-") for one in declared}
        assert names - {"rind"} <= pins[extra].keys()
    assert pins["build"].items() <= pins["dev"].items()
