"""Times `put` and `get` beside `docker cp` and tar through `docker exec`. Prints a table.

    ./benchmarks/run --files

Both ways: a tree of 20 000 small files, and one file of 1 GiB. Each copy is a whole process. The
last column is the longest stall of the library's event loop, in a further copy.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bed import images
from bed.checkout import SUITE, locked
from bed.engines import Docker, Engine, environment
from bed.keeper import kept
from measure import MIB, Sample, alternated, median, plain

NAME = "bench-files"
FILES = 20_000
LARGE = 1024 * MIB
ROUNDS = 3
COPYING = str(Path(__file__).with_name("copying.py"))
FAR = "/tmp/far"


@dataclass(frozen=True)
class Place:
    """The place of the measurement: a local folder, and the container ``NAME``.

    Attributes:
        docker: the docker command.
        env: the environment, with the engine's variables.
        near: the local folder, with the tree ``small`` and the file ``large``.
    """

    docker: str
    env: Mapping[str, str]
    near: Path

    def inside(self, script: str) -> None:
        """Run a script in the container."""
        subprocess.run([self.docker, "exec", NAME, "sh", "-c", script], env=self.env, check=True)

    def ways(self, what: str) -> dict[tuple[str, str], list[str]]:
        """Return the commands that copy ``what``, by their direction and name."""
        source, back = self.near / what, self.near / "back"
        copying = [sys.executable, COPYING]
        run = f"{shlex.quote(self.docker)} exec -i {NAME}"
        pack = f"tar c -C {shlex.quote(str(self.near))} {what} | {run} tar x -C {FAR}"
        unpack = f"{run} tar c -C {FAR} {what} | tar x -C {shlex.quote(str(back))}"
        return {
            ("put", "rind"): [*copying, "put", NAME, str(source), FAR],
            ("put", "docker cp"): [self.docker, "cp", "--quiet", str(source), f"{NAME}:{FAR}"],
            ("put", "tar"): ["sh", "-c", pack],
            ("get", "rind"): [*copying, "get", NAME, f"{FAR}/{what}", str(back)],
            ("get", "docker cp"): [self.docker, "cp", "--quiet", f"{NAME}:{FAR}/{what}", str(back)],
            ("get", "tar"): ["sh", "-c", unpack],
        }

    def copied(self, direction: str, argv: list[str]) -> Sample:
        """Copy to a path that does not exist."""
        self.clear(direction)
        return plain(argv, self.env)

    def clear(self, direction: str) -> None:
        """Remove the previous copy."""
        if direction == "put":
            self.inside(f"rm -rf {FAR}; mkdir {FAR}")
        else:
            subprocess.run(["rm", "-rf", self.near / "back"], check=True)
            (self.near / "back").mkdir()

    def stall(self, direction: str, argv: list[str]) -> float:
        """Return the longest stall of the event loop in a copy, in milliseconds."""
        self.clear(direction)
        env = {**self.env, "STALL": "1"}
        return float(subprocess.run(argv, env=env, check=True, capture_output=True).stdout)


def fill(folder: Path) -> None:
    """Make the tree, with files of up to 2000 bytes, 200 in a folder, and the large file."""
    for number in range(FILES):
        file = folder / "small" / f"{number // 200}" / f"{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * (number % 2000))
    with (folder / "large").open("wb") as large:
        for _ in range(LARGE // MIB):
            large.write(os.urandom(MIB))


@contextmanager
def furnished() -> Iterator[Place]:
    """Start an engine with a container."""
    engine = Engine("sid", "sid")
    engine.prepare()
    with kept([engine]), tempfile.TemporaryDirectory() as folder:
        docker = Docker(engine.host)
        engine.clear()
        image = images.IMAGES["busybox"].load(docker)
        docker("run", "--detach", "--network", "none", "--name", NAME, image, "sleep", "1000000")
        env = {**environment(), "DOCKER_HOST": engine.host}
        yield Place(str(docker.program), env, Path(folder))


def report(place: Place) -> Iterator[str]:
    """Yield the table, line by line."""
    yield "| what | rind, s (CPU) | docker cp, s (CPU) | tar, s (CPU) | stall, ms |"
    yield "|---|---|---|---|---|"
    for what in ("small", "large"):
        ways = place.ways(what)
        for direction in ("put", "get"):
            own = {name: argv for (way, name), argv in ways.items() if way == direction}
            runs = {name: partial(place.copied, direction, argv) for name, argv in own.items()}
            samples = alternated(runs, ROUNDS, lambda _: None)
            cells = [
                f"{median(of, 'wall'):.2f} ({median(of, 'cpu'):.2f})" for of in samples.values()
            ]
            cells += [f"{place.stall(direction, own['rind']):.0f}"]
            yield f"| {direction} {what} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    with locked(SUITE), furnished() as place:
        fill(place.near)
        for line in report(place):
            print(line, flush=True)
