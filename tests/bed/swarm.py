"""A swarm of two engines on this machine, in a network of their own."""

from __future__ import annotations

from dataclasses import replace

from bed.checkout import remove
from bed.engines import Docker, Engine

_MANAGER = Engine("manager", "sid")
_WORKER = Engine("worker", "sid")


class Swarm:
    """A manager, and a worker whose engine the labels of its node tell."""

    def prepare(self) -> None:
        """Have the programs ready."""
        _MANAGER.prepare()

    def start(self, *, tied: bool = False) -> None:
        """Start both engines, and let one join the other's swarm."""
        for engine in (_MANAGER, _WORKER):
            engine.stop()
            remove(engine.data)  # it would remember a swarm
        _MANAGER.start(tied=tied)
        replace(_WORKER, network=_MANAGER.network_namespace()).start(tied=tied)
        manager, worker = Docker(_MANAGER.host), Docker(_WORKER.host)
        at = ("--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
        manager("swarm", "init", *at)
        token = manager("swarm", "join-token", "--quiet", "worker")
        at = ("--advertise-addr", "127.0.0.2", "--listen-addr", "127.0.0.2:2377")
        worker("swarm", "join", *at, "--token", token, "127.0.0.1:2377")
        for docker in (manager, worker):
            node = docker("info", "--format", "{{.Swarm.NodeID}}")
            manager("node", "update", "--label-add", f"app.rind.host={docker.host}", node)

    def stop(self) -> None:
        """End both."""
        for engine in (_WORKER, _MANAGER):
            engine.stop()

    def hosts(self) -> dict[str, str]:
        """Return where they listen, by name."""
        return {engine.name: engine.host for engine in (_MANAGER, _WORKER)}
