from pathlib import Path

from tls_peer import issued

from rind.endpoint.endpoint import Endpoint
from rind.transport.choose import dialer_for
from rind.transport.dial import PlainDialer
from rind.transport.ssh import SshDialer
from rind.transport.tls_wire import TlsDialer
from rind.transport.wire import BlockingWire


def test_the_endpoint_decides_the_carrier(tmp_path: Path) -> None:
    for endpoint, kind in (
        (Endpoint("unix:///x", "the test"), PlainDialer),
        (Endpoint("tcp://x:1", "the test"), PlainDialer),
        (Endpoint("tcp://x:1", "the test", issued(tmp_path)), TlsDialer),
        (Endpoint("ssh://x", "the test"), SshDialer),
    ):
        assert type(dialer_for(endpoint, BlockingWire, interactive=False)) is kind
        assert endpoint.is_plain == (kind is PlainDialer)
