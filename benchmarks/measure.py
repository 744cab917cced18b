"""Measures programs alternately, A B A B..., so that a slower machine slows all of them."""

import os
import pty
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """One run.

    Attributes:
        wall, cpu: in seconds; the CPU time is that of the program and its awaited children.
        memory: the largest resident size of one process, in bytes.
    """

    wall: float
    cpu: float = 0.0
    memory: int = 0


Run = Callable[[], Sample]


def waited(pid: int, began: float) -> Sample:
    """Wait for a process, which must succeed; return its measurements."""
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"it ended with the status {os.waitstatus_to_exitcode(status)}")
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def plain(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
) -> Sample:
    """Run a program."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout)
    sample = waited(process.pid, began)
    process.returncode = 0
    return sample


def on_terminal(argv: Sequence[str], env: Mapping[str, str]) -> Sample:
    """Run a program on a terminal of its own, whose output is read."""
    began = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], [*argv], env)  # the benchmark's own command line
    with suppress(OSError):  # a terminal's error once its programs have ended
        while os.read(master, 65536):
            pass
    os.close(master)
    return waited(pid, began)


def piped_in(argv: Sequence[str], env: Mapping[str, str], size: int) -> Sample:
    """Run a program whose stdin is a pipe that a quick writer fills."""
    with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as writer:
        return plain(argv, env, stdin=writer.stdout)


def piped_out(argv: Sequence[str], env: Mapping[str, str]) -> Sample:
    """Run a program whose stdout is a pipe that a quick reader empties."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
        return plain(argv, env, stdout=reader.stdin)


_LAUNCHER = """
import os, sys, time
began = time.perf_counter()
count, *argv = sys.argv[1:]
files = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
pids = [os.posix_spawn(argv[0], argv, os.environ, file_actions=files) for _ in range(int(count))]
cpu = memory = failed = 0
for pid in pids:
    _, status, used = os.wait4(pid, 0)
    failed += status != 0
    cpu += used.ru_utime + used.ru_stime
    memory += used.ru_maxrss * 1024 // len(pids)
print(time.perf_counter() - began, cpu, memory, failed)
"""
# A program's peak memory is at least that of the process that started it, so this one is small.


def at_once(argv: Sequence[str], env: Mapping[str, str], count: int) -> Sample:
    """Run concurrent copies of a program: the wall time of all, the mean memory of one."""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(count), *argv]
    done = subprocess.run(launcher, env=env, check=True, capture_output=True, text=True)
    wall, cpu, memory, failed = map(float, done.stdout.split())
    if failed:
        raise RuntimeError(f"{failed:.0f} of {count} have failed")
    return Sample(wall, cpu, int(memory))


def alternated(
    runs: Mapping[str, Run], rounds: int, progress: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Run each in turn, for some rounds after a warm-up round."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            progress(f"{name}, {number} of {rounds}")
            sample = run()
            if number:
                samples[name].append(sample)
    return samples


def median(samples: Sequence[Sample], what: str) -> float:
    """Return the median of one quantity."""
    values: list[float] = [getattr(sample, what) for sample in samples]
    return statistics.median(values)


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], what: str) -> float:
    """Return the median of the ratios of one quantity, round by round."""
    pairs = zip(ours, theirs, strict=True)
    ratios: list[float] = [getattr(our, what) / getattr(their, what) for our, their in pairs]
    return statistics.median(ratios)
