"""A swarm of three engines on this machine, and a second swarm that has lost its quorum."""

from __future__ import annotations

from dataclasses import replace

from bed.checkout import remove
from bed.engines import Docker, Engine

_NODES = [Engine(name, "sid", host_name=name) for name in ("node1", "node2", "node3")]
_MANAGERS = [Engine(name, "sid", host_name=name) for name in ("leaderless", "gone")]


class Swarm:
    """A manager and two workers; the labels of the nodes have the addresses of their engines.

    The second swarm has two managers, one of which has died; the other notices within 30 s.
    """

    def prepare(self) -> None:
        """Fetch the programs, unless that was done before."""
        _NODES[0].prepare()

    def start(self, *, tied: bool = False) -> None:
        """Start the engines, and join them into the two swarms."""
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
        """Return the engines' URLs by name: the manager, the workers, the leaderless manager."""
        return {engine.name: engine.host for engine in [*_NODES, _MANAGERS[0]]}

    @staticmethod
    def kill_node(name: str) -> None:
        """Kill a worker's engine and its containers, as a power failure would."""
        _worker(name).kill()

    @staticmethod
    def start_node(name: str) -> None:
        """Start a worker's engine again; it is still in the swarm."""
        replace(_worker(name), network=_NODES[0].network_namespace()).start()


def _join(engines: list[Engine], role: str, *, tied: bool) -> list[Docker]:
    """Start engines; the first creates a swarm, and the others join it."""
    for engine in engines:
        engine.stop()
        remove(engine.data)  # the data of an earlier swarm
    first, *others = engines
    first.start(tied=tied)
    found = [Docker(first.host)]
    # A node counts as down after three missed heartbeats.
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
