"""Measures the cost of a swarm's other nodes, compared with docker's own client. Prints a table.

    ./benchmarks/run --swarm

The swarm is the test bed's: a manager and two workers (Docker 28.5), on this machine. The script
with docker's client requests the task's node and container from the manager, and then connects to
the node's engine.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bed import images
from bed.checkout import SUITE, locked
from bed.engines import Docker, environment
from bed.keeper import kept
from bed.swarm import Swarm
from measure import Run, alternated, median, plain, ratio

RIND = str(Path(sys.executable).with_name("rind"))
REPLICAS = 50
BY_HAND = """
task=$("$1" service ps --quiet --filter desired-state=running "$2" | head -n 1)
set -- "$1" $("$1" inspect --format '{{.NodeID}} {{.Status.ContainerStatus.ContainerID}}' "$task")
host=$("$1" node inspect --format '{{index .Spec.Labels "app.rind.host"}}' "$2")
exec "$1" --host "$host" exec "$3" true
"""
ALL_BY_HAND = """
docker=$1
shift
for host do
  for container in $("$docker" --host "$host" ps --quiet --filter label=bench.all); do
    "$docker" --host "$host" exec "$container" true &
  done
done
wait
"""


@contextmanager
def services(manager: Docker, image: str) -> Iterator[None]:
    """Start a service with a local task, one with a task elsewhere, and one with many tasks."""
    made = {
        "here": ("--constraint", "node.hostname==node1"),
        "there": ("--constraint", "node.hostname==node2"),
        "all": ("--replicas", str(REPLICAS)),
    }
    create = ("service", "create", "--quiet", "--network", "host", "--no-resolve-image")
    try:
        for name, words in made.items():
            label = ("--container-label", f"bench.{name}=")
            manager(*create, "--name", name, *label, *words, image, "sleep", "1000000")
        yield
    finally:
        manager("service", "rm", *made)


def table(title: str, runs: dict[str, Run], rounds: int) -> None:
    """Print the runs' times and ratios; the last run is the yardstick."""
    samples = alternated(runs, rounds, lambda _: None)
    print(f"\n{title}, {rounds} rounds\n\n| run | ms | ratio | CPU, ms |\n|---|---|---|---|")
    *_, yardstick = samples.values()
    for name, its in samples.items():
        wall, cpu = (1000 * median(its, what) for what in ("wall", "cpu"))
        print(f"| {name} | {wall:.0f} | {ratio(its, yardstick, 'wall'):.2f} | {cpu:.0f} |")


def main() -> None:
    """Print the tables."""
    swarm = Swarm()
    swarm.prepare()
    with locked(SUITE), kept([swarm]):
        hosts = {name: host for name, host in swarm.hosts().items() if name.startswith("node")}
        for host in hosts.values():
            image = images.IMAGES["busybox"].load(Docker(host))
        manager = Docker(hosts["node1"])
        env = {**environment(), "DOCKER_HOST": manager.host}
        docker = str(manager.program)
        with services(manager, image):

            def rind(*words: str) -> Run:
                return partial(plain, [RIND, "-T", *words], env)

            def script(text: str, *words: str) -> Run:
                return partial(plain, ["sh", "-c", text, "sh", docker, *words], env)

            there = Docker(hosts["node2"])("ps", "--quiet", "--filter", "label=bench.there")
            direct = [docker, "--host", hosts["node2"], "exec", there, "true"]
            one: dict[str, Run] = {
                "rind -s there true": rind("-s", "there", "true"),
                "rind -s here true": rind("-s", "here", "true"),
                "the node and the container by hand": script(BY_HAND, "there"),
                "docker --host node2 exec ID true": partial(plain, direct, env),
            }
            table("`true` in one task", one, 15)
            every: dict[str, Run] = {
                "rind --all true": rind("--label", "bench.all", "--all", "true"),
                "docker exec, for each at once": script(ALL_BY_HAND, *hosts.values()),
            }
            table(f"`true` in {REPLICAS} tasks on 3 nodes", every, 5)
