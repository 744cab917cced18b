"""The questions: the programs to compare, and the goal for their ratio."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from measure import MIB, Run, at_once, on_terminal, piped_in, piped_out, plain

HERE = Path(__file__).parent
KEYS = 400
"""Keystrokes of the echo question."""


@dataclass(frozen=True)
class Question:
    """A comparison of programs.

    Attributes:
        goals: the largest ratio to the yardstick, by quantity: wall, cpu, memory, p50, p99.
        runs: by the program's name; Rind's is the first, the yardstick's the second.
        crowd: the number of additional containers on the engine.
        is_busy: whether another process competes for its only CPU.
    """

    name: str
    title: str
    goals: Mapping[str, float]
    runs: Mapping[str, Run]
    rounds: int = 25
    crowd: int = 0
    is_busy: bool = False


@dataclass
class Bench:
    """The place of the measurement.

    Attributes:
        program: Rind's program, from a wheel installed as users do.
        file: Rind as one file that needs no Python; empty if it cannot be built.
        docker: the docker command.
        container: a container with the label ``bench``, an empty pre-step and a Compose service.
        stepped: one with the label ``bench.step``, and a pre-step.
        compose: a Compose file with the first one's service, ``web``; empty without Compose.
    """

    env: dict[str, str]
    program: str
    docker: str
    container: str
    stepped: str
    compose: str = ""
    file: str = ""
    missing: list[str] = field(default_factory=list)
    clean_up: ExitStack = field(default_factory=ExitStack)

    def rind(self, *words: str) -> list[str]:
        """Return Rind's command line."""
        return [self.program, "--label", "bench", *words]

    def exec(self, *words: str) -> list[str]:
        """Return docker exec's command line."""
        return [self.docker, "exec", *words]


def questions(bench: Bench) -> Iterator[Question]:
    """Yield all questions, in the order of the table."""
    env, name = bench.env, bench.container
    start, limits = {"wall": 0.95, "cpu": 1.5}, {"wall": 1.0, "cpu": 0.9}
    peers: dict[str, Run] = {
        "rind -T true": partial(plain, bench.rind("-T", "true"), env),
        "docker exec": partial(plain, bench.exec(name, "true"), env),
    }
    if bench.compose:
        compose = [bench.docker, "compose", "--file", bench.compose, "exec", "-T", "web", "true"]
        peers["docker compose exec"] = partial(plain, compose, env)
    for peer, module in (("docker_py", "docker"), ("bare_aiodocker", "aiodocker")):
        script = [sys.executable, str(HERE / "peers" / f"{peer}.py"), name, "true"]
        try:
            __import__(module)
        except ImportError:
            bench.missing.append(module)
        else:
            peers[f"a script with {module}"] = partial(plain, script, env)
    yield Question("start", "start `true`, whole process", start, peers)
    if bench.file:
        yield Question(
            "file",
            "start `true`, the one file",
            start,
            {
                "rind -T true, the one file": partial(
                    plain, [bench.file, "--label", "bench", "-T", "true"], env
                ),
                "docker exec": partial(plain, bench.exec(name, "true"), env),
            },
        )
    else:
        bench.missing.append("the one file")
    yield Question(
        "cat",
        "start `cat`, stdin attached",
        {"wall": 0.95, "cpu": 1.7},
        {
            "rind -T cat": partial(plain, bench.rind("-T", "cat"), env),
            "docker exec -i": partial(plain, bench.exec("-i", name, "cat"), env),
        },
    )
    yield Question(
        "tty",
        "start `true` on a terminal",
        {"wall": 1.0, "cpu": 1.7},
        {
            "rind -t true": partial(on_terminal, bench.rind("-t", "true"), env),
            "docker exec -it": partial(on_terminal, bench.exec("-it", name, "true"), env),
        },
    )
    shell = ["sh", "-c", "cd /tmp && exec true"]
    yield Question(
        "pre-step",
        "start `true` after a pre-step (`cd /tmp`)",
        start,
        {
            "rind -T true": partial(
                plain, [bench.program, "--label", "bench.step", "-T", "true"], env
            ),
            "docker exec": partial(plain, bench.exec(bench.stepped, *shell), env),
        },
    )
    yield Question(
        "crowd",
        "start `true` among 200 containers",
        start,
        {
            "rind -T true": partial(plain, bench.rind("-T", "true"), env),
            "docker exec": partial(plain, bench.exec(name, "true"), env),
        },
        crowd=200,
    )
    yield Question(
        "fifty",
        "fifty at once",
        {"wall": 1.0, "cpu": 1.5, "memory": 1.5},
        {
            "rind -T true": partial(at_once, bench.rind("-T", "true"), env, 50),
            "docker exec": partial(at_once, bench.exec(name, "true"), env, 50),
        },
        rounds=5,
    )
    names = [f"bench-crowd-{number}" for number in range(20)]
    together = " & ".join(f"{bench.docker} exec {name} true" for name in names)
    everywhere = ["--label", "bench.crowd", "--all=everywhere", "-q", "true"]
    yield Question(
        "all",
        "`--all true` in 20 containers",
        {"wall": 0.4, "cpu": 0.4},
        {
            "rind --all true": partial(plain, [bench.program, *everywhere], env),
            "20 docker execs at once": partial(plain, ["sh", "-c", f"{together} & wait"], env),
        },
        rounds=10,
        crowd=20,
    )
    one_cpu = ["taskset", "--cpu-list", "0"]
    yield Question(
        "busy",
        "start `true` on one busy CPU",
        {"wall": 1.2, "cpu": 2.0},
        {
            "rind -T true": partial(plain, [*one_cpu, *bench.rind("-T", "true")], env),
            "docker exec": partial(plain, [*one_cpu, *bench.exec(name, "true")], env),
        },
        is_busy=True,
    )
    yield Question(
        "list",
        "`--list`, beside `docker ps`",
        {"wall": 2.0, "cpu": 2.0},
        {
            "rind --list": partial(plain, bench.rind("--list"), env),
            "docker ps": partial(plain, [bench.docker, "ps"], env),
        },
    )
    size = 1024 * MIB
    out, lines = ["head", "-c", str(size), "/dev/zero"], ["seq", "20000000"]
    for what, title, words in (
        ("out", "1 GiB out, through pipes", out),
        ("lines", "20 million short lines out", lines),
    ):
        yield Question(
            what,
            title,
            limits,
            {
                "rind -T": partial(piped_out, bench.rind("-T", *words), env),
                "docker exec": partial(piped_out, bench.exec(name, *words), env),
            },
            rounds=5,
        )
    sink = ["sh", "-c", "exec cat >/dev/null"]
    yield Question(
        "in",
        "1 GiB in, through pipes",
        limits,
        {
            "rind -T": partial(piped_in, bench.rind("-T", *sink), env, size),
            "docker exec -i": partial(piped_in, bench.exec("-i", name, *sink), env, size),
        },
        rounds=5,
    )
    yield Question(
        "help",
        "`--help`, beside Python that does nothing",
        {"wall": 25 / 11},
        {
            "rind --help": partial(plain, [bench.program, "--help"], env),
            "python -c pass": partial(plain, [sys.executable, "-c", "pass"], env),
        },
    )
    yield Question(
        "completion",
        "complete a command's word (as far as `docker exec` alone)",
        {"wall": 150 / 65},
        {
            "rind --complete": partial(
                plain, [bench.program, "--complete", "fish", "--label", "bench", "bas"], env
            ),
            "docker exec": partial(plain, bench.exec(name, "true"), env),
        },
    )


@contextmanager
def typist(argv: list[str], env: Mapping[str, str]) -> Iterator[Callable[[], float]]:
    """Start a program on a terminal; yield a function that types a key and times its echo."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, env)  # the benchmark's own command line
    tty.setraw(master, termios.TCSANOW)
    while b"ready" not in os.read(master, 65536):
        pass

    def key() -> float:
        began = time.perf_counter()
        os.write(master, b"x")
        os.read(master, 65536)
        return time.perf_counter() - began

    for _ in range(50):
        key()
    yield key
    os.kill(pid, signal.SIGTERM)
    os.close(master)
    os.waitpid(pid, 0)


def echo(bench: Bench) -> dict[str, list[float]]:
    """Time the echo of keys alternately, by Rind and by docker exec; return seconds."""
    script = ["sh", "-c", "stty raw -echo; echo ready; exec cat"]
    ours = bench.rind("-t", *script)
    theirs = bench.exec("-it", bench.container, *script)
    with typist(ours, bench.env) as our_key, typist(theirs, bench.env) as their_key:
        pairs = [(our_key(), their_key()) for _ in range(KEYS)]
    return {"rind -t": [our for our, _ in pairs], "docker exec -it": [their for _, their in pairs]}


@contextmanager
def crowd(bench: Bench, count: int) -> Iterator[None]:
    """Start more containers on the engine; remove them at the end."""
    image = subprocess.run(
        [bench.docker, "inspect", "--format", "{{.Config.Image}}", bench.container],
        env=bench.env,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    start = [bench.docker, "run", "--detach", "--network", "none", "--label", "bench.crowd"]
    command = [image, "sleep", "1000000"]
    started = []
    for first in range(0, count, 8):
        processes = [
            subprocess.Popen(
                [*start, "--name", f"bench-crowd-{number}", *command],
                env=bench.env,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(first, min(first + 8, count))
        ]
        started += [process.communicate()[0].strip() for process in processes]
    try:
        yield
    finally:
        for first in range(0, count, 50):
            remove = [bench.docker, "rm", "--force", *started[first : first + 50]]
            subprocess.run(remove, env=bench.env, check=True, capture_output=True)


@contextmanager
def competitor(*, is_there: bool) -> Iterator[None]:
    """Run a process that competes for the first CPU."""
    if not is_there:
        yield
        return
    loop = ["taskset", "--cpu-list", "0", sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(loop) as process:
        try:
            yield
        finally:
            process.kill()
