"""Requests to a manager; the swarms are real."""

import json

import pytest
from carriers import Kept
from conftest import TestEngine, podmans

from rind.base.deadline import Deadline
from rind.endpoint.endpoint import Endpoint
from rind.engine.dialect import Dialect
from rind.engine.engine import Engine
from rind.engine.manager import NoManager, ask_manager
from rind.errors import Refused
from rind.model import Service
from rind.transport.carrier import Answer, Request


def every(_: Service) -> bool:
    return True


class Recorded(Kept):
    """Records the requests."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.paths: list[str] = []

    async def request(self, request: Request, deadline: Deadline) -> Answer:
        self.paths.append(request.path.rpartition("/")[2])
        return await super().request(request, deadline)


async def test_tasks_are_requested_only_for_matching_services(swarm: list[TestEngine]) -> None:
    manager, *_ = swarm
    name = "rind-test-manager"
    image = manager.images["busybox"]
    manager.cli("service", "create", "--detach", "--no-resolve-image", "--name", name, image)
    try:
        carrier = Recorded(manager.host)
        async with Engine(Endpoint(manager.host, "the test"), carrier) as engine:
            found = await ask_manager(engine, lambda _: False)
            assert (found.services, carrier.paths) == ({}, ["_ping", "services"])
            found = await ask_manager(engine, lambda service: service.name == name)
    finally:
        manager.cli("service", "rm", name)
    assert carrier.paths[2:] == ["services", "nodes", "tasks"]
    assert [service.name for service in found.services.values()] == [name]
    assert {node.hostname for node in found.nodes.values()} == {"node1", "node2", "node3"}
    assert {task.service_id for task in found.tasks} <= {*found.services}


class Forgetful(Kept):
    """A manager whose service is removed right after the listing (moby, convertTaskListFilters)."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.listed = 0

    async def request(self, request: Request, _deadline: Deadline) -> Answer:
        kind = request.path.rpartition("/")[2]
        self.listed += kind == "services"
        spec = {"Name": "web"}
        services = [{"ID": "0" * 25, "Spec": spec}] if self.listed == 1 else []
        if kind == "tasks":
            return Answer(404, body=b'{"message": "service not found"}')
        return Answer(200, body=json.dumps(services if kind == "services" else []).encode())


async def test_a_service_may_be_removed_between_two_requests() -> None:
    where = Endpoint("unix:///nowhere", "the test")
    carrier = Forgetful(where.url)
    async with Engine(where, carrier, Dialect()) as client:
        assert (await ask_manager(client, every)).services == {}
    assert carrier.listed == 2


async def test_a_worker_is_not_a_manager(swarm: list[TestEngine]) -> None:
    async with Engine(Endpoint(swarm[1].host, "the test")) as engine:
        with pytest.raises(NoManager) as caught:
            await ask_manager(engine, every)
    assert caught.value.is_worker


async def test_an_engine_without_a_swarm_has_no_tasks(engine: TestEngine) -> None:
    async with Engine(Endpoint(engine.host, "the test")) as client:
        with pytest.raises(NoManager) as caught:
            await ask_manager(client, every)
    assert not caught.value.is_worker


@pytest.mark.parametrize("podman", podmans(), ids=lambda podman: podman.name)
async def test_podman_has_no_swarm(podman: TestEngine) -> None:
    async with Engine(Endpoint(podman.host, "the test")) as client:
        with pytest.raises(NoManager):
            await ask_manager(client, every)


class Locked(Kept):
    """Answers as a restarted manager that waits for its key (moby, errSwarmLocked)."""

    async def request(self, _request: Request, _deadline: Deadline) -> Answer:
        said = "Swarm is encrypted and needs to be unlocked before it can be used."
        return Answer(503, body=json.dumps({"message": said}).encode())


async def test_a_locked_manager_is_a_manager() -> None:
    where = Endpoint("unix:///nowhere", "the test")
    async with Engine(where, Locked(where.url), Dialect()) as client:
        with pytest.raises(Refused, match="needs to be unlocked"):
            await ask_manager(client, every)
