"""A request is resolved by a real engine, without an event loop.

The decisions are in decide/; test_client.py tests the client's use of them.
"""

import pytest
from conftest import TestContainer

from rind.decide.wanted import Wanted
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import SelectionError
from rind.find.caller import find_caller
from rind.find.finder import Finder
from rind.find.resolve import is_elsewhere
from rind.transport.dial import PlainDialer
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish


def opened(container: TestContainer) -> Engine:
    url = container.engine.host
    engine = Engine(Endpoint(url, "the test"), SocketCarrier(PlainDialer(url, BlockingWire)))
    return finish(engine.__aenter__())


def test_nothing_waits_for_an_event_loop(busybox: TestContainer) -> None:
    engine, caller = opened(busybox), find_caller({}, busybox.engine.host)
    finder = Finder(engine, caller, {})
    for wanted in (Wanted(label=busybox.label), Wanted(container=busybox.name)):
        selected = finish(finder.find(wanted))
        assert selected.container.name == busybox.name
        # An engine's status text contains the uptime, which changes.
        every = [one.container.id for one in finish(finder.find_all(wanted))]
        assert every == [selected.container.id]
        candidates = finish(finder.containers(wanted))
        assert [one.id for one in candidates] == [selected.container.id]
    assert not is_elsewhere(selected.container, caller)


def test_a_missing_container_is_reported(busybox: TestContainer) -> None:
    engine, caller = opened(busybox), find_caller({}, busybox.engine.host)
    finder = Finder(engine, caller, {})
    with pytest.raises(SelectionError, match=r"no container on unix:.* has the name none; see"):
        finish(finder.find(Wanted(container="none")))
    with pytest.raises(SelectionError, match=r"has the label rind\.none"):
        finish(finder.find(Wanted(label="rind.none")))
