"""A program that copies with the library: put or get.

    python benchmarks/copying.py put CONTAINER FROM TO

With STALL=1 in the environment, it prints the longest stall of its event loop, in milliseconds.
"""

import asyncio
import os
import sys
from contextlib import suppress
from time import perf_counter

import rind

TICK = 0.001


async def stall() -> float:
    """Tick until cancelled; return the longest delay of a tick, in seconds."""
    longest = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            began = perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, perf_counter() - began - TICK)
    return longest


async def main(direction: str, container: str, source: str, destination: str) -> None:
    async with rind.connect() as client:
        target = await client.find(container=container)
        ticking = asyncio.create_task(stall()) if os.environ.get("STALL") else None
        await getattr(target, direction)(source, destination)
        if ticking is not None:
            ticking.cancel()
            print(f"{await ticking * 1000:.1f}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
