"""What feeds an output as a command does, and lets the loop turn."""

import asyncio

from rind.execution.outputs import Output


async def put(output: Output, data: bytes) -> None:
    """Return once there is room for more."""
    if not output.take(memoryview(data)):
        await output.until_room()


async def turns() -> None:
    """Let the loop turn until all has been done that waits for nothing."""
    for _ in range(10):
        await asyncio.sleep(0)
