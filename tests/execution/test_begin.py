"""The requests that begin a command."""

import pytest
from conftest import TestContainer

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import StartError
from rind.execution.begin import create, new_cookie, start_detached
from rind.model import ExecConfig


def test_no_cookie_is_used_twice() -> None:
    cookies = {new_cookie() for _ in range(1000)}
    assert len(cookies) == 1000
    assert all(len(cookie) == 32 and int(cookie, 16) >= 0 for cookie in cookies)


async def test_a_command_has_its_own_cookie(busybox: TestContainer) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        config = ExecConfig(argv=["env"], env=["A=1", "RIND_EXEC_ID=another"])
        exec_id = await create(engine, container, config, "0" * 32)
        stream = await engine.start_exec(exec_id, tty=False)
        said = b""
        while data := await stream.read():
            said += data
        stream.close()
    assert said.count(b"RIND_EXEC_ID") == 1
    assert b"RIND_EXEC_ID=" + b"0" * 32 in said
    assert b"A=1" in said


async def test_a_refused_command_is_an_error(busybox: TestContainer) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        with pytest.raises(StartError, match="no-such-user"):
            await start_detached(engine, container, ExecConfig(argv=["true"], user="no-such-user"))
