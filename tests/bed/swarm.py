"""A swarm of three engines on this machine, and another one that has lost its quorum."""

from __future__ import annotations

from dataclasses import replace

from bed.checkout import remove
from bed.engines import Docker, Engine

_NODES = [Engine(name, "sid", host_name=name) for name in ("node1", "node2", "node3")]
_MANAGERS = [Engine(name, "sid", host_name=name) for name in ("leaderless", "gone")]


class Swarm:
    """A manager and two workers, whose engines the labels of their nodes tell.

    And two managers, one of which has died: the other one notices within half a minute.
    """

    def prepare(self) -> None:
        """Have the programs ready."""
        _NODES[0].prepare()

    def start(self, *, tied: bool = False) -> None:
        """Start the engines, and let them be swarms."""
        manager, *_ = docker = _join(_NODES, "worker", tied=tied)
        for engine, its in zip(_NODES, docker, strict=True):
            manager("node", "update", "--label-add", f"app.rind.host={its.host}", engine.name)
        _join(_MANAGERS, "manager", tied=tied)
        _MANAGERS[1].kill()

    def stop(self) -> None:
        """End all of them."""
        for engine in reversed(_NODES + _MANAGERS):
            engine.stop()

    def hosts(self) -> dict[str, str]:
        """Return where they listen, by name: the nodes, the manager first, and the leaderless."""
        return {engine.name: engine.host for engine in [*_NODES, _MANAGERS[0]]}

    @staticmethod
    def kill_node(name: str) -> None:
        """Let a worker's engine go, and all that it runs, as a power failure would."""
        _worker(name).kill()

    @staticmethod
    def start_node(name: str) -> None:
        """Start a worker's engine again, which is still of the swarm."""
        replace(_worker(name), network=_NODES[0].network_namespace()).start()


def _join(engines: list[Engine], role: str, *, tied: bool) -> list[Docker]:
    """Start engines, of which the first manages a swarm, and the others join it."""
    for engine in engines:
        engine.stop()
        remove(engine.data)  # it would remember a swarm
    first, *others = engines
    first.start(tied=tied)
    found = [Docker(first.host)]
    # A node that is silent for three of its heartbeats is down.
    found[0]("swarm", "init", "--dispatcher-heartbeat=1s", *_addresses(1))
    token = found[0]("swarm", "join-token", "--quiet", role)
    for number, engine in enumerate(others, 2):
        replace(engine, network=first.network_namespace()).start(tied=tied)
        found.append(Docker(engine.host))
        found[-1]("swarm", "join", *_addresses(number), "--token", token, "127.0.0.1:2377")
    return found


def _addresses(number: int) -> list[str]:
    address = f"127.0.0.{number}"
    return [f"--advertise-addr={address}", f"--listen-addr={address}:2377"]


def _worker(name: str) -> Engine:
    [engine] = (engine for engine in _NODES[1:] if engine.name == name)
    return engine
