"""The command to execute in a container, resolved without an event loop."""

import pytest
from conftest import TestContainer

from rind.decide.plan import Command
from rind.decide.profile import Profile
from rind.decide.wanted import Wanted
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import SelectionError
from rind.find.caller import find_caller
from rind.find.finder import Finder
from rind.find.resolve import profile_of, settle
from rind.model import Container
from rind.transport.dial import PlainDialer
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish


def found(container: TestContainer) -> tuple[Engine, Container]:
    url = container.engine.host
    engine = Engine(Endpoint(url, "the test"), SocketCarrier(PlainDialer(url, BlockingWire)))
    finish(engine.__aenter__())
    finder = Finder(engine, find_caller({}, url), {})
    return engine, finish(finder.find(Wanted(label=container.label))).container


def test_a_command_is_resolved(busybox: TestContainer) -> None:
    engine, container = found(busybox)
    profile = profile_of(container, busybox.label)
    command = Command(argv=["pwd"], env_defaults={"HOME": "/x", "LANG": "C"}, workdir="tmp")
    caller = find_caller({}, busybox.engine.host)
    config = finish(settle(engine, command, container, profile, caller))
    assert (config.argv, config.workdir) == (["pwd"], "/tmp")
    assert "LANG=C" in config.env


def test_an_invalid_label_names_its_container(busybox: TestContainer) -> None:
    _, container = found(busybox)
    assert profile_of(container, "rind.none") == Profile()
    with pytest.raises(SelectionError, match=f"{busybox.name}: unknown label"):
        profile_of(container, busybox.label.rpartition(".")[0])
