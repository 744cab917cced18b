"""A peer that speaks TLS, for faults that a real engine cannot show."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from rind.endpoint.docker_config import Tls

CA = trustme.CA()


def issued(folder: Path, ca: trustme.CA = CA) -> Tls:
    """Write a client's certificate, and the trusted CA, to a folder."""
    files = [str(folder / f"{name}.pem") for name in ("ca", "cert", "key")]
    certificate = ca.issue_cert("me@example.org")
    CA.cert_pem.write_to_path(files[0])
    certificate.cert_chain_pems[0].write_to_path(files[1])
    certificate.private_key_pem.write_to_path(files[2])
    ca_file, cert, key = files
    return Tls(ca_file, cert, key, verify=True)


@contextmanager
def serving(
    handle: Callable[[ssl.SSLSocket], object],
    certificate: trustme.LeafCert | None = None,
    *,
    asks_for_client: bool = False,
) -> Iterator[str]:
    """Serve one connection in a thread; yield the URL.

    Args:
        handle: serves the connection, which is closed without close_notify at its return.
        certificate: the server's; by default a valid one.
        asks_for_client: whether the client needs a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or CA.issue_cert("127.0.0.1")).configure_cert(context)
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        CA.configure_trust(context)

    def handle_encrypted(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as sock:
            handle(sock)

    with serving_plain(handle_encrypted) as url:
        yield url


@contextmanager
def serving_plain(handle: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve one connection without TLS; yield the URL."""

    def serve() -> None:
        with suppress(OSError), server.accept()[0] as sock:
            sock.settimeout(20)
            handle(sock)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield "tcp://{}:{}".format(*server.getsockname())
        finally:
            server.shutdown(socket.SHUT_RDWR)  # if no client has connected
            thread.join()
