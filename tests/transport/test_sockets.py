"""Requests without an event loop, to real engines and to faulty peers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import TestContainer

from rind.base.deadline import Deadline
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Unreachable
from rind.model import ExecConfig
from rind.transport.carrier import Disconnected, Request
from rind.transport.dial import PlainDialer
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish

if TYPE_CHECKING:
    from rind.transport.wire import Wire


def blocking(url: str) -> Engine:
    engine = Engine(Endpoint(url, "the test"), SocketCarrier(PlainDialer(url, BlockingWire)))
    return finish(engine.__aenter__())


def test_a_request_needs_no_event_loop(busybox: TestContainer) -> None:
    engine = blocking(busybox.engine.host)
    container = finish(engine.container(busybox.name))
    exec_id = finish(engine.create_exec(container.id, ExecConfig(argv=["true"])))
    assert finish(engine.inspect_exec(exec_id)).exit_code is None
    finish(engine.start_exec_detached(exec_id))
    while finish(engine.inspect_exec(exec_id)).running:
        pass
    assert finish(engine.inspect_exec(exec_id)).exit_code == 0


@contextmanager
def peer(folder: Path, said: bytes, *, stays: bool = False) -> Iterator[str]:
    """Serve one connection: read something, send ``said``, and close."""
    go_on = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "peer.sock"))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as ours:
                ours.recv(65536)
                ours.sendall(said)
                if stays:
                    go_on.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix://{folder}/peer.sock"
        go_on.set()
        thread.join()


def ping(url: str, timeout: float = 10) -> bytes:
    carrier = SocketCarrier(PlainDialer(url, BlockingWire))
    return finish(carrier.request(Request("GET", "_ping"), Deadline(timeout))).body


def test_an_answer_in_time_is_returned(tmp_path: Path) -> None:
    with peer(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", stays=True) as url:
        assert ping(url) == b"OK"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\nO"])
def test_a_late_answer_times_out(tmp_path: Path, said: bytes) -> None:
    began = time.monotonic()
    with peer(tmp_path, said, stays=True) as url, pytest.raises(TimeoutError):
        ping(url, timeout=0.05)
    assert time.monotonic() - began >= 0.05


def test_a_missing_answer_is_an_error(tmp_path: Path) -> None:
    with peer(tmp_path, b"") as url, pytest.raises(Disconnected):
        ping(url)
    with pytest.raises(FileNotFoundError):
        ping(f"unix://{tmp_path}/none.sock")


class ExitedSsh:
    """The tunnel of a wire whose ssh has exited."""

    failure = ConnectionError("ssh has exited")

    def close(self) -> None:
        """Do nothing."""

    forget = close


class SshDialer(PlainDialer):
    dialled = 0

    async def dial(self, deadline: Deadline) -> "Wire":
        self.dialled += 1
        wire = await super().dial(deadline)
        wire.tunnel = ExitedSsh()
        return wire


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
def test_only_a_get_is_sent_again(tmp_path: Path, method: str, times: int) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "ssh.sock"))
        server.listen()
        dialer = SshDialer(f"unix://{tmp_path}/ssh.sock", BlockingWire)

        def serve() -> None:
            for _ in range(times):
                with server.accept()[0] as ours:
                    ours.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConnectionError):
            finish(SocketCarrier(dialer).request(Request(method, "x"), Deadline(10)))
        thread.join()
        assert dialer.dialled == times


def test_engines_errors_are_translated(tmp_path: Path) -> None:
    refused = pytest.raises(Unreachable, match="no Api-Version in its answer")
    with peer(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n") as url, refused:
        blocking(url)
    with pytest.raises(Unreachable, match="there is no socket at"):
        blocking("unix:///none.sock")
