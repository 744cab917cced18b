"""Measures the cost of mapping paths, compared with runs without it. Prints two tables.

    ./benchmarks/run --mapping

Completions come from pylsp in a container of the test bed, requested alternately through
`rind --lsp` and `rind -T`. The output is 100 MB of a linter's messages, each with a path.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

from bed import images
from bed.checkout import SUITE, locked
from bed.engines import Docker, Engine, environment
from bed.keeper import kept
from lsp import LspClient
from measure import alternated, median, piped_out, ratio

RIND = str(Path(sys.executable).with_name("rind"))
NAME = "bench-mapping"
REQUESTS = 1000
ROUNDS = 9
SOURCE = "import collections\ncollections.Ord\n"
MESSAGE = "/srv/shop/api/views.py:{}:80: E501 line too long (99 > 79 characters)\n"
SIZE = 100_000_000


@contextmanager
def project() -> Iterator[tuple[Path, dict[str, str]]]:
    """Start a container with a project; yield its local folder, and the variables for rind."""
    engine = Engine("sid", "sid")
    engine.prepare()
    with kept([engine]), tempfile.TemporaryDirectory() as folder:
        docker = Docker(engine.host)
        engine.clear()
        image = images.IMAGES["django"].load(docker)
        start = ("run", "--detach", "--network", "none", "--name", NAME, "--label")
        step = "app.rind=source /venv/bin/activate"
        docker(*start, step, "--volume", f"{folder}:/srv/shop", image, "sleep", "1000000")
        yield Path(folder), {**environment(), "DOCKER_HOST": engine.host}


async def started(stack: AsyncExitStack, option: str, env: Mapping[str, str]) -> LspClient:
    """Start a server through rind; leaving the stack ends it."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(RIND, option, "pylsp"), env=env, stdin=pipe, stdout=pipe, stderr=null
    )
    assert process.stdin
    assert process.stdout
    stack.push_async_callback(process.wait)
    return LspClient(process.stdout, process.stdin)


async def completions(folder: Path, env: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the seconds of each answer, by the option."""
    async with AsyncExitStack() as stack:
        servers = {option: await started(stack, option, env) for option in ("--lsp", "-T")}
        # The same document, by the path that the server needs with and without mapping.
        documents = {"--lsp": folder / "x.py", "-T": Path("/srv/shop/x.py")}
        times: dict[str, list[float]] = {option: [] for option in servers}
        for option, server in servers.items():
            await server.open(documents[option], SOURCE)
            await server.complete(documents[option], 1, 15)
        for number in range(REQUESTS):
            # The order alternates, so that cold caches slow neither more often.
            for option in sorted(servers, reverse=bool(number % 2)):
                began = time.perf_counter()
                assert "OrderedDict" in await servers[option].complete(documents[option], 1, 15)
                times[option].append(time.perf_counter() - began)
        for server in servers.values():
            await server.close()
    return times


def main() -> None:
    """Print the tables."""
    with locked(SUITE), project() as (folder, env):
        times = asyncio.run(completions(folder, env))
        print(
            f"| {REQUESTS} completions | rind --lsp, ms | rind -T, ms | ratio |\n|---|---|---|---|"
        )
        for name, cut in (("p50", 49), ("p99", 98)):
            mapped, plain = (
                statistics.quantiles(times[option], n=100)[cut] for option in ("--lsp", "-T")
            )
            print(f"| {name} | {mapped * 1e3:.2f} | {plain * 1e3:.2f} | {mapped / plain:.2f} |")
        lines: list[str] = []
        size = 0
        while size < SIZE:
            lines.append(MESSAGE.format(len(lines)))
            size += len(lines[-1])
        (folder / "messages").write_text("".join(lines))
        command = ["cat", "/srv/shop/messages"]
        runs = {
            option: partial(piped_out, [RIND, option, *command], env)
            for option in ("--map-paths", "-T")
        }
        samples = alternated(runs, ROUNDS, lambda _: None)
        ours, theirs = samples["--map-paths"], samples["-T"]
        print(
            "\n| 100 MB of messages | rind --map-paths, s | rind -T, s | ratio |\n|---|---|---|---|"
        )
        for what in ("wall", "cpu"):
            seconds = " | ".join(f"{median(one, what):.2f}" for one in (ours, theirs))
            print(f"| {what} | {seconds} | {ratio(ours, theirs, what):.2f} |")
