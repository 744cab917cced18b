"""Measures what many commands at once cost the process that runs them.

    python benchmarks/many.py CONTAINER [COMMANDS]

CONTAINER needs a shell and cat. The engine is the one that rind finds by itself.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import rind


def resident() -> int:
    """Return this process's resident size, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def main() -> None:
    container, commands = sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 200
    async with rind.connect() as client:
        target = await client.find(container=container)
        await target.run(["true"])
        memory, files = resident(), descriptors()
        running = 0
        everyone = asyncio.Event()

        async def one(number: int) -> bool:
            nonlocal running
            script = f"echo ready; cat; exit {number % 100}"
            async with target.open_process(["sh", "-c", script]) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
                running += 1
                if running == commands:
                    everyone.set()
                await everyone.wait()
                process.stdin.write(b"%d" % number * 1000)
                out, _ = await process.communicate()
                return out == b"%d" % number * 1000 and process.returncode == number % 100

        start = time.perf_counter()
        tasks = [asyncio.create_task(one(number)) for number in range(commands)]
        await everyone.wait()
        print(f"{commands} commands were running after {time.perf_counter() - start:.1f} s")
        print(f"memory for each: {(resident() - memory) / commands / 1024:.0f} KiB")
        print(f"descriptors for each: {(descriptors() - files) / commands:.2f}")
        right = sum(await asyncio.gather(*tasks))
        print(f"{right} of {commands} right, after {time.perf_counter() - start:.1f} s in all")


if __name__ == "__main__":
    asyncio.run(main())
