"""Helpers that feed an output as a command does, and let the event loop run."""

import asyncio

from rind.execution.outputs import Output


async def put(output: Output, data: bytes) -> None:
    """Write data to an output; return once it has room for more."""
    if not output.take(memoryview(data)):
        await output.until_room()


async def turns() -> None:
    """Let the event loop run until every task waits for I/O or a timer."""
    for _ in range(10):
        await asyncio.sleep(0)
