"""Measures `rind -T true` and docker's own client, by each way to an engine. Prints a table.

    ./benchmarks/run --transports

The engine (Docker 28.5), the Podmans and the ssh server are those of the test bed, and end with it.
"5 ms away" adds 5 ms to each round trip, as an engine in a virtual machine does.
By ssh, docker's client uses `docker system dial-stdio`, as always.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bed import images, ssh, suite
from bed.checkout import SUITE, locked
from bed.engines import Docker, Engine, environment
from bed.keeper import kept
from bed.podman import PODMANS
from measure import alternated, median, plain, ratio

if TYPE_CHECKING:
    from bed.podman import Podman

ROUNDS = 15
RIND = str(Path(sys.executable).with_name("rind"))
NAME = "bench-ways"
AWAY = 0.005
"""Seconds that the way to an engine in a virtual machine adds to each round trip."""


@contextmanager
def ways(docker: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Start the engines and the ssh server; yield each way's variables."""
    engine = Engine("sid", "sid", suite._certificates())  # noqa: SLF001 # the bed's own
    engines: list[Engine | Podman] = [engine, *PODMANS]
    for one in engines:
        one.prepare()
    os.environ["RIND_TEST_SSH"] = str(ssh.programs())
    from faults import relay_process  # noqa: PLC0415 # of the tests, as ssh_server
    from ssh_server import serving  # noqa: PLC0415 # it reads that variable

    with ExitStack() as stack:
        stack.enter_context(kept(engines))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ssh")))
        server = stack.enter_context(serving(folder / "s", f"SetEnv PATH={docker.parent}:/bin"))
        stack.callback(server.cut)
        away, _ = stack.enter_context(relay_process(engine.host, AWAY / 2))
        tls = engine.tls() or {}
        found = {
            "socket": {"DOCKER_HOST": engine.host},
            "socket, 5 ms away": {"DOCKER_HOST": away},
            "TLS": {
                "DOCKER_HOST": tls["host"],
                "DOCKER_TLS_VERIFY": "1",
                "DOCKER_CERT_PATH": tls["files"],
            },
            "ssh": {"DOCKER_HOST": server.over(engine.host), **server.environ},
        }
        found |= {podman.name: {"DOCKER_HOST": podman.host} for podman in PODMANS}
        for host in [engine.host, *(podman.host for podman in PODMANS)]:
            client = Docker(host)
            image = images.IMAGES["busybox"].load(client)
            start = ("run", "--detach", "--network", "none", "--name", NAME)
            client(*start, image, "sleep", "1000000")
            stack.callback(client, "rm", "--force", NAME)
        yield found


def main() -> None:
    """Print the table."""
    docker = Docker("unix:///none").program
    with locked(SUITE), ways(docker) as found:
        print("| way | rind -T true, ms | docker exec true, ms | ratio |\n|---|---|---|---|")
        for way, variables in found.items():
            env = {**environment(), **variables}
            runs = {
                "rind": partial(plain, [RIND, "-T", "--container", NAME, "true"], env),
                "docker": partial(plain, [str(docker), "exec", NAME, "true"], env),
            }
            samples = alternated(runs, ROUNDS, lambda _: None)
            ours, theirs = samples["rind"], samples["docker"]
            times = " | ".join(f"{median(one, 'wall') * 1000:.0f}" for one in (ours, theirs))
            print(f"| {way} | {times} | {ratio(ours, theirs, 'wall'):.2f} |", flush=True)
