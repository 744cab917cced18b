"""`docker exec CONTAINER WORD...`, by a script that uses only aiodocker."""

import asyncio
import os
import sys

import aiodocker


async def main() -> int:
    async with aiodocker.Docker(url=os.environ["DOCKER_HOST"]) as docker:
        container = await docker.containers.get(sys.argv[1])
        execution = await container.exec(sys.argv[2:])
        async with execution.start(detach=False) as stream:
            while (message := await stream.read_out()) is not None:
                sys.stdout.buffer.write(message.data)
        return int((await execution.inspect())["ExitCode"])


sys.exit(asyncio.run(main()))
