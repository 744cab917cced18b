"""Measures how the cost grows with containers, output, concurrent commands and variables."""

import asyncio
import time
from functools import partial

from bed.say import step
from measure import MIB, alternated, at_once, median, piped_out, plain
from questions import Bench, crowd

import rind

CONTAINERS = (1, 50, 200, 500)
OUTPUT = (1, 16, 256, 4096)
"""MiB."""
COMMANDS = (1, 10, 50, 200)
VARIABLES = (1, 50, 500)

Grown = dict[str, dict[str, dict[int, float]]]
"""Seconds, by the growing quantity, the program, and the amount."""


def grow(bench: Bench) -> Grown:
    """Measure all."""
    env, name = bench.env, bench.container
    true = {"rind": bench.rind("-T", "true"), "docker exec": bench.exec(name, "true")}
    found: Grown = {}
    for count in CONTAINERS:
        with step(f"{count} containers") as progress, crowd(bench, count - 1):
            runs = {who: partial(plain, argv, env) for who, argv in true.items()}
            add(found, "containers on the engine", count, alternated(runs, 9, progress))
    for size in OUTPUT:
        words = ["head", "-c", str(size * MIB), "/dev/zero"]
        runs = {
            "rind": partial(piped_out, bench.rind("-T", *words), env),
            "docker exec": partial(piped_out, bench.exec(name, *words), env),
        }
        with step(f"{size} MiB") as progress:
            add(found, "MiB of output", size, alternated(runs, 3, progress))
    for count in COMMANDS:
        runs = {who: partial(at_once, argv, env, count) for who, argv in true.items()}
        with step(f"{count} processes at once") as progress:
            samples = alternated(runs, 3, progress)
        add(found, "commands at once", count, samples)
        with step(f"{count} commands of one client"):
            seconds = asyncio.run(of_one_client(bench, count))
        found["commands at once"].setdefault("one rind.Client", {})[count] = round(seconds, 4)
    for count in VARIABLES:
        variables = [f"--env=V{number}={'x' * 50}" for number in range(count)]
        runs = {
            "rind": partial(plain, bench.rind("-T", *variables, "true"), env),
            "docker exec": partial(plain, bench.exec(*variables, name, "true"), env),
        }
        with step(f"{count} variables") as progress:
            add(found, "variables", count, alternated(runs, 9, progress))
    return found


def add(found: Grown, what: str, count: int, samples: dict[str, list]) -> None:  # type: ignore[type-arg] # of samples
    """Add the medians of samples to the results."""
    for who, of in samples.items():
        found.setdefault(what, {}).setdefault(who, {})[count] = round(median(of, "wall"), 4)


async def of_one_client(bench: Bench, count: int) -> float:
    """Run concurrent commands in one client, twice; return the seconds of the second time."""
    async with rind.connect(environ=bench.env) as client:
        target = await client.find(label="bench")
        for _ in range(2):
            began = time.perf_counter()
            await asyncio.gather(*(target.run(["true"]) for _ in range(count)))
        return time.perf_counter() - began
