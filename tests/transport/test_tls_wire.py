import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from tls_peer import CA, issued, serving, serving_plain

from rind.base.deadline import Deadline
from rind.endpoint.docker_config import Tls
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Unreachable
from rind.transport.carrier import Request
from rind.transport.dial import PlainDialer
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier
from rind.transport.tls import TlsError, tls_context
from rind.transport.tls_wire import TlsDialer
from rind.transport.wire import BlockingWire, finish

if TYPE_CHECKING:
    from rind.transport.wire import WireKind

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"

by_each_kind = pytest.mark.parametrize("kind", [BlockingWire, LoopWire], ids=["blocking", "loop"])


def pong(sock: ssl.SSLSocket) -> None:
    """Answer a ping."""
    sock.recv(65536)
    sock.sendall(PONG)
    sock.recv(65536)


async def ping(url: str, tls: Tls, kind: "WireKind") -> bytes:
    carrier = SocketCarrier(TlsDialer(PlainDialer(url, kind), tls_context(tls)))
    return (await carrier.request(Request("GET", "_ping"), Deadline(10))).body


@by_each_kind
async def test_a_tls_peer_answers(tmp_path: Path, kind: "WireKind") -> None:
    tls = issued(tmp_path)
    for asks_for_client in (False, True):
        with serving(pong, asks_for_client=asks_for_client) as url:
            assert await ping(url, tls, kind) == b"OK"


def expired() -> trustme.LeafCert:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    return CA.issue_cert("127.0.0.1", not_before=long_ago, not_after=long_ago + timedelta(days=1))


@by_each_kind
@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (
            trustme.CA().issue_cert("127.0.0.1"),
            "unable to get local issuer",
        ),
        (expired(), "certificate has expired"),
        (CA.issue_cert("elsewhere.example"), "not valid for '127.0.0.1'"),
    ],
    ids=["other-ca", "expired", "other-name"],
)
async def test_another_servers_certificate_is_rejected(
    tmp_path: Path, certificate: trustme.LeafCert, why: str, kind: "WireKind"
) -> None:
    tls = issued(tmp_path)
    refused = pytest.raises(TlsError, match=f"its certificate is not valid: .*{why}")
    with serving(pong, certificate) as url, refused:
        await ping(url, tls, kind)
    with serving(pong, certificate) as url:
        unverified = Tls(None, tls.cert, tls.key, verify=False)
        assert await ping(url, unverified, kind) == b"OK"


@by_each_kind
async def test_another_clients_certificate_is_rejected(tmp_path: Path, kind: "WireKind") -> None:
    for tls, why in (
        (Tls(issued(tmp_path).ca, None, None, verify=True), "wants a client certificate"),
        (issued(tmp_path, trustme.CA()), "does not know who has signed the client certificate"),
    ):
        with serving(pong, asks_for_client=True) as url, pytest.raises(TlsError, match=why):
            await ping(url, tls, kind)


@by_each_kind
async def test_a_server_without_tls_is_reported(tmp_path: Path, kind: "WireKind") -> None:
    def serve_plain(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving_plain(serve_plain) as url, pytest.raises(TlsError, match="does not speak TLS"):
        await ping(url, issued(tmp_path), kind)


@by_each_kind
async def test_a_silent_server_times_out(tmp_path: Path, kind: "WireKind") -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "tcp://{}:{}".format(*server.getsockname())
        dialer = TlsDialer(PlainDialer(url, kind), tls_context(issued(tmp_path)))
        with pytest.raises(TimeoutError):
            await dialer.dial(Deadline(0.1))


@by_each_kind
async def test_a_truncated_answer_is_an_error(tmp_path: Path, kind: "WireKind") -> None:
    def cut(sock: ssl.SSLSocket) -> None:
        sock.recv(65536)
        sock.sendall(PONG[:-1])

    with serving(cut) as url, pytest.raises(TlsError, match="it was cut off"):
        await ping(url, issued(tmp_path), kind)


def test_a_tls_request_needs_no_event_loop(tmp_path: Path) -> None:
    with serving(pong) as url:
        assert finish(ping(url, issued(tmp_path), BlockingWire)) == b"OK"


async def test_the_message_says_what_to_do(tmp_path: Path) -> None:
    tls = issued(tmp_path)
    refused = pytest.raises(Unreachable, match=r"the test\): .* \(its CA belongs in ca.pem\)")
    with serving(pong, trustme.CA().issue_cert("127.0.0.1")) as url, refused:
        async with Engine(Endpoint(url, "the test", tls)):
            pass
