"""The README's shell examples, run as they stand; its compose file, brought up with compose."""

import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


class Compose:
    """A compose project of the test's own."""

    def __init__(self, engine: TestEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def up(self, file: str) -> None:
        (self.folder / "compose.yaml").write_text(file)
        self.engine.cli("compose", "up", "--detach", cwd=self.folder)

    def down(self) -> None:
        self.engine.cli("compose", "down", "--timeout", "0", cwd=self.folder)


@pytest.fixture
def compose(engine: TestEngine, tmp_path: Path) -> Iterator[Compose]:
    folder = tmp_path / f"rindtest{os.getpid()}"
    folder.mkdir()
    it = Compose(engine, folder)
    # With the label app.rind itself, and names that the README has: one at a time on an engine.
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield it
        it.down()


def compose_file(engine: TestEngine, image: str, labels: str) -> str:
    return f"""\
services:
  web:
    image: {engine.images[image]}
    init: true
    network_mode: none
    labels:
{labels}
"""


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("django", '      app.rind: "source /venv/bin/activate"'),
        ("django", "      - app.rind=source /venv/bin/activate"),
        ("busybox", "      - app.rind"),
        ("busybox", "      app.rind:"),
    ],
    ids=["map", "list", "list-no-value", "map-no-value"],
)
def test_labels_as_compose_writes_them(
    compose: Compose, engine: TestEngine, image: str, labels: str
) -> None:
    compose.up(compose_file(engine, image, labels))
    done = subprocess.run(
        [RIND, "sh", "-c", "echo $VIRTUAL_ENV; cat /etc/hostname"],
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    assert (done.stdout.splitlines()[0] == "/venv") == (image == "django")
    container = engine.cli("compose", "ps", "-q", cwd=compose.folder)
    assert done.stdout.splitlines()[1] == container[:12]


def test_the_examples(compose: Compose, engine: TestEngine, containers: Containers) -> None:
    first, *_ = blocks("yaml")
    (service,) = re.findall("image: an_image\n", first)
    in_place = f"image: {engine.images['django']}\n    init: true\n    network_mode: none\n"
    compose.up(first.replace(service, in_place))
    containers("busybox", None, name="rind-readme-plain")
    examples = [
        (command, expected)
        for block in blocks("console")
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]
    assert len(examples) > 8
    for command, expected in examples:
        done = subprocess.run(
            ["bash", "-c", command],
            env={
                "PATH": f"{Path(RIND).parent}:{os.environ['PATH']}",
                "DOCKER_HOST": engine.host,
                "HOME": "/nonexistent",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        pattern = re.escape(expected.rstrip("\n")).replace("…", ".*")
        assert re.fullmatch(pattern, done.stdout.rstrip("\n")), (command, done.stdout)


def test_the_two_commands_are_there_and_executable() -> None:
    root = Path(__file__).parents[1]
    for command in ("tests/demo", "tests/run"):
        assert f"./{command}" in README
        assert os.access(root / command, os.X_OK)


def test_exit_statuses_are_documented(busybox: TestContainer) -> None:
    for status in ("124", "125", "126", "127", "128+n", "141"):
        assert f"| {status} |" in README
    assert busybox.rind("true").returncode == 0
