"""What feeds an output as a command does."""

from rind.execution.stdio import Output


async def put(output: Output, data: bytes) -> None:
    """Return once there is room for more."""
    if not output.take(memoryview(data)):
        await output.until_room()
