"""`docker exec CONTAINER WORD...`, by a script that uses docker-py."""

import sys

import docker

container = docker.from_env().containers.get(sys.argv[1])
status, output = container.exec_run(sys.argv[2:])
sys.stdout.buffer.write(output)
sys.exit(status)
