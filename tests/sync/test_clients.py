import subprocess
import sys

import pytest
from conftest import TestContainer

import rind


def test_a_kept_client(busybox: TestContainer) -> None:
    with rind.connect_sync(busybox.engine.host, environ={}) as client:
        for word in ("one", "two"):
            done = client.run(["echo", word], container=busybox.name, text=True)
            assert done.stdout == f"{word}\n"
        with pytest.raises(rind.CommandFailed):
            client.run(["false"], container=busybox.name, check=True)
        with pytest.raises(rind.SelectionError):
            client.run(["true"], container="nobody")
        assert repr(client).startswith("<SyncClient of unix://")


def test_an_engine_that_there_is_not() -> None:
    with pytest.raises(rind.Unreachable), rind.connect_sync("unix:///nowhere"):
        pass


async def test_where_a_loop_runs(busybox: TestContainer) -> None:
    with pytest.raises(RuntimeError, match=r"run_sync\(\) .* use await rind.run\(\)"):
        rind.run_sync(["true"])
    with pytest.raises(RuntimeError, match=r"connect_sync.* use async with rind.connect"):
        rind.connect_sync(busybox.engine.host).__enter__()


def test_a_client_of_another_loop(busybox: TestContainer) -> None:
    """It says so at the first use, whichever that is."""
    import asyncio  # noqa: PLC0415 # to show the two loops

    client = rind.connect(busybox.engine.host, environ={})
    with asyncio.Runner() as first:
        first.run(client.__aenter__())
        with pytest.raises(RuntimeError, match="connected in another event loop"):
            asyncio.run(client.find(container=busybox.name))
        target = first.run(client.find(container=busybox.name))
        with pytest.raises(RuntimeError, match="connected in another event loop"):
            asyncio.run(target.run(["true"]))
        first.run(client.__aexit__(None, None, None))


def test_no_loop_of_asyncio() -> None:
    entering = rind.connect("unix:///nowhere").__aenter__()
    with pytest.raises(RuntimeError, match="rind needs asyncio's event loop"):
        entering.send(None)


def test_an_interrupt_leaves_nothing(busybox: TestContainer) -> None:
    script = (
        "import os, signal, threading, rind\n"
        "def told(*_): os.kill(os.getpid(), signal.SIGINT)\n"
        f"with rind.connect_sync({busybox.engine.host!r}) as client:\n"
        "    try:\n"
        "        client.run(script='echo; sleep 717171', on_output=told, "
        f"container={busybox.name!r})\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert "717171" not in busybox.engine.cli("top", busybox.name)
