"""What a script with docker-py does in place of `docker exec CONTAINER WORD...`."""

import sys

import docker

container = docker.from_env().containers.get(sys.argv[1])
status, output = container.exec_run(sys.argv[2:])
sys.stdout.buffer.write(output)
sys.exit(status)
