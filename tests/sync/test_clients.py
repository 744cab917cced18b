import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import TIMEOUT, TestContainer
from processes import descriptors, sleepers

import rind


def test_a_client_outlives_its_calls(busybox: TestContainer) -> None:
    with rind.connect_sync(busybox.engine.host, environ={}) as client:
        for word in ("one", "two"):
            done = client.run(["echo", word], container=busybox.name, text=True)
            assert done.stdout == f"{word}\n"
        with pytest.raises(rind.CommandFailed):
            client.run(["false"], container=busybox.name, check=True)
        with pytest.raises(rind.SelectionError):
            client.run(["true"], container="nobody")
        assert repr(client).startswith("<SyncClient of unix://")


def test_a_missing_engine_is_an_error() -> None:
    with pytest.raises(rind.Unreachable), rind.connect_sync("unix:///nowhere"):
        pass


async def test_the_client_works_where_a_loop_runs(busybox: TestContainer) -> None:
    """As in Jupyter, or in a test of pytest-asyncio: the client blocks that loop."""
    assert rind.run_sync(["echo", "x"], text=True, **busybox.where).stdout == "x\n"
    with rind.connect_sync(busybox.engine.host, environ={}) as client:
        client.run(["true"], container=busybox.name, check=True)


def test_several_threads_share_a_client(busybox: TestContainer) -> None:
    with rind.connect_sync(busybox.engine.host) as client, ThreadPoolExecutor(4) as pool:

        def echo(word: int) -> str:
            return client.run(["echo", str(word)], container=busybox.name, text=True).stdout

        assert list(pool.map(echo, range(8))) == [f"{word}\n" for word in range(8)]


def test_closing_leaves_nothing(busybox: TestContainer) -> None:
    """Calls of other threads end too: they raise once the client is closed."""
    before = set(threading.enumerate()), descriptors()
    some = threading.Event()
    client = rind.connect_sync(busybox.engine.host)  # it connects at its first use
    web = client.find(container=busybox.name)
    with ThreadPoolExecutor(2) as pool, web.open_process(["cat"]) as process:
        reading = pool.submit(process.stdout.read)
        waiting = pool.submit(client.wait_for, service="none", on_missing=lambda _: some.set())
        assert some.wait(TIMEOUT)
        for _ in range(2):
            client.close()
        assert isinstance(reading.exception(), rind.Broken)
        with pytest.raises(RuntimeError, match="was closed"):
            waiting.result()
    with pytest.raises(RuntimeError, match=r"<SyncClient of unix.*> is closed"):
        web.run(["true"])
    assert (set(threading.enumerate()), descriptors()) == before


def test_an_unclosed_client_warns(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    client = rind.connect_sync(busybox.engine.host)
    process = client.find(container=busybox.name).open_process(["sleep", mark])
    threads = [thread for thread in threading.enumerate() if thread.name == "rind"]
    with pytest.warns(ResourceWarning, match=r"unclosed <SyncProcess .*: use it as a context man"):
        del process
    with pytest.warns(ResourceWarning, match=r"unclosed <SyncClient of .* or call its close\(\)"):
        del client
    for thread in threads:
        thread.join(TIMEOUT)
    assert sleepers(busybox, mark) == 0


def test_an_open_client_survives_a_fork_and_an_exit(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = (
        "import os, sys, rind\n"
        f"client = rind.connect_sync({busybox.engine.host!r})\n"
        f"web = client.find(container={busybox.name!r})\n"
        f"process = web.open_process(['sleep', '{mark}'])\n"
        "if child := os.fork():\n"
        "    sys.exit(os.waitpid(child, 0)[1])\n"
        "try:\n"
        "    web.run(['true'])\n"
        "except RuntimeError as exc:\n"
        "    print(exc)\n"
        "client.close()\n"
    )
    command = [sys.executable, "-W", "ignore", "-W", "default::ResourceWarning", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=busybox.environ(PYTHONWARNINGS="")
    )
    assert "is of the parent process: connect after the fork" in done.stdout
    assert "unclosed <SyncClient of unix" in done.stderr
    assert "Traceback" not in done.stderr
    assert sleepers(busybox, mark) == 0


def test_a_client_of_another_loop_is_rejected(busybox: TestContainer) -> None:
    """Each kind of first use raises the error."""
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


def test_a_loop_other_than_asyncios_is_rejected() -> None:
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
