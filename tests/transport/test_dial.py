"""Dialers; test_tls.py tests TLS, and test_ssh.py ssh."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from rind.base import light
from rind.base.deadline import Deadline
from rind.transport.carrier import Request
from rind.transport.dial import PlainDialer, places
from rind.transport.kept import KeepingCarrier
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier
from rind.transport.wire import BlockingWire, finish


def test_every_address_is_dialled() -> None:
    assert places("unix:///a:b") == [(socket.AF_UNIX, "/a:b")]
    assert places("unix://@a") == [(socket.AF_UNIX, "\0a")]
    assert (socket.AF_INET, ("127.0.0.1", 80)) in places("tcp://127.0.0.1:80")
    assert places("tcp://[::1]:2375")[0][1][:2] == ("::1", 2375)
    with pytest.raises(OSError, match=r"[Nn]ame"):
        places("tcp://no-such-host.invalid:1")


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        known = [(socket.AF_INET, end.getsockname()) for end in (unused, server)]
        monkeypatch.setattr("rind.transport.dial.places", lambda *_: known)
        dialer = PlainDialer("tcp://x:1", BlockingWire)
        finish(dialer.dial(Deadline(10))).close()
        assert dialer.place == known[1]
        assert dialer.using(BlockingWire).place == known[1]


@pytest.mark.parametrize("by", ["sockets", "kept"])
def test_a_slow_name_server_does_not_block(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url, release, answered = "tcp://slow.invalid:1", threading.Event(), threading.Event()
    original = light.socket.getaddrinfo

    def ask(host: str, *args: Any, **flags: int) -> Any:
        if host == "slow.invalid" and socket.AI_NUMERICHOST not in {*args, *flags.values()}:
            release.wait(5)
            answered.set()
        return original(host, *args, **flags)

    monkeypatch.setattr(light.socket, "getaddrinfo", ask)

    async def request() -> None:
        kind = SocketCarrier if by == "sockets" else KeepingCarrier
        carrier = kind(PlainDialer(url, LoopWire))
        try:
            with pytest.raises(TimeoutError):
                await carrier.request(Request("GET", "_ping"), Deadline(0.05))
        finally:
            await carrier.aclose()

    asyncio.run(request())
    assert not answered.is_set()
    release.set()
