"""A client without an event loop, on real engines; and the modules that it must not import."""

import subprocess
import sys
from dataclasses import replace

import pytest
from conftest import TestContainer

from rind.client import continued
from rind.decide.plan import Command
from rind.decide.profile import Profile
from rind.decide.wanted import Wanted
from rind.endpoint.endpoint import Endpoint
from rind.errors import ContainerGone, Unreachable
from rind.find.blocking import EarlyClient
from rind.transport.frames import STDOUT

TOO_SLOW = {
    *("aiodocker", "aiohttp", "argparse", "asyncio", "concurrent.futures", "dataclasses", "email"),
    *("hashlib", "http", "inspect", "logging", "pathlib", "shutil", "ssl", "subprocess"),
    *("tempfile", "threading", "typing", "urllib", "uuid", "weakref.WeakSet"),
}
"""Modules that take milliseconds to import, and that a start does not need."""


def early(container: TestContainer) -> EarlyClient:
    return EarlyClient(Endpoint(container.engine.host, "the test"), {})


async def test_a_client_serves_a_command_started_before_it(
    busybox: TestContainer,
) -> None:
    before = early(busybox)
    at, selected = before.find(Wanted(label=busybox.label))
    assert at is before
    container = selected.container
    config = before.settle(Command(script="echo early; cat; exit 3"), container, Profile())
    created = before.create(container, config)
    begun = before.start(created, tty=False, size=None)
    async with continued(before) as client:
        target = client.target(container)
        async with await target.execute(config, begun=begun) as execution:
            assert execution.exec_id == created.exec_id
            assert await execution.read() == (STDOUT, b"early\n")
            await execution.write(b"late\n")
            await execution.send_eof()
            assert await execution.read() == (STDOUT, b"late\n")
            assert await execution.read() is None
            assert await execution.wait() == 3


def test_the_client_lists_and_detaches(busybox: TestContainer) -> None:
    before = early(busybox)
    (container,) = [one for one in before.running() if one.name == busybox.name]
    config = before.settle(Command(argv=["true"], stdin=False, output=False), container, Profile())
    assert len(before.detach(container, config)) == 64
    with pytest.raises(ContainerGone, match=f"not started: {container.name} was removed"):
        before.create(replace(container, id="0" * 64), config)


def test_a_missing_engine_is_an_error() -> None:
    with pytest.raises(Unreachable, match="there is no socket"):
        EarlyClient(Endpoint("unix:///none.sock", "the test"), {})


def test_a_start_imports_no_slow_module() -> None:
    program = (
        "import sys, rind.cli.main, rind.cli.program, rind.cli.running.opening; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert TOO_SLOW & {*done.stdout.split()} == set()
