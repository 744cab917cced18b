"""Times a language server's answers through Rind beside those of the same server run here.

    python benchmarks/language_server.py CONTAINER [REQUESTS]

CONTAINER has pylsp, after its pre-step; so has this machine (pip install python-lsp-server). The
requests alternate between the three, so a machine that slows down slows down all of them.
"""

import asyncio
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from lsp import LspClient

import rind

SCRIPTS = Path(sys.executable).parent
SOURCE = "import collections\ncollections.Ord\n"
LABEL = os.environ.get("RIND_LABEL", "app.rind")
DOCUMENT = Path("/tmp/document.py")


async def local(stack: AsyncExitStack, *argv: str) -> LspClient:
    """Start a server here; it has ended when the stack is left."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=null)
    assert process.stdin is not None
    assert process.stdout is not None
    stack.push_async_callback(process.wait)
    return LspClient(process.stdout, process.stdin)


async def main() -> None:
    container, requests = sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 1000
    if not (SCRIPTS / "pylsp").exists():
        sys.exit(f"there is no pylsp in {SCRIPTS}: pip install python-lsp-server")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(rind.connect())
        target = await client.find(container=container, label=LABEL)
        opened = target.open_process(["pylsp"], stderr=rind.DEVNULL)
        process = await stack.enter_async_context(opened)
        assert process.stdin is not None
        assert process.stdout is not None
        command = (str(SCRIPTS / "rind"), "-T", "--container", container, "pylsp")
        servers = {
            "here": await local(stack, str(SCRIPTS / "pylsp")),
            "rind.open_process": LspClient(process.stdout, process.stdin),
            "rind -T": await local(stack, *command),
        }
        times: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():
            await server.open(DOCUMENT, SOURCE)
            await server.complete(DOCUMENT, 1, 15)
        for _ in range(requests):
            for name, server in servers.items():
                start = time.perf_counter()
                assert "OrderedDict" in await server.complete(DOCUMENT, 1, 15)
                times[name].append(time.perf_counter() - start)
        for server in servers.values():
            await server.close()
    base = times["here"]
    for name, taken in times.items():
        p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
        ratio = statistics.median(it / there for it, there in zip(taken, base, strict=True))
        print(
            f"{name:20} p50 {p50 * 1000:6.2f} ms  p99 {p99 * 1000:6.2f} ms  "
            f"median ratio to here {ratio:.2f}  ({requests} requests)"
        )


if __name__ == "__main__":
    asyncio.run(main())
