import pytest

from rind.decide.messages import framed
from rind.errors import Broken, UsageError
from rind.execution.mapping import inward, outward
from rind.model import ExecConfig, Mount
from rind.transport.frames import STDERR, STDOUT

MOUNTS = [Mount("/shop", "/app")]


def test_nothing_is_mapped_by_default() -> None:
    assert outward(ExecConfig(argv=["x"])) == {}
    assert inward(ExecConfig(argv=["x"])) is None
    assert inward(ExecConfig(argv=["x"], mapped=MOUNTS)) is None


def test_plain_output_is_mapped() -> None:
    streams = outward(ExecConfig(argv=["x"], mapped=MOUNTS))
    for stream in (STDOUT, STDERR):
        assert streams[stream].feed(b"/app/x\n") == b"/shop/x\n"
        assert streams[stream].close() == b""


def test_messages_of_a_server_and_its_client_are_mapped() -> None:
    config = ExecConfig(argv=["x"], mapped=MOUNTS, protocol="lsp")
    said = outward(config)
    assert said[STDERR].feed(b"/app/x\n") == b"/shop/x\n"
    with pytest.raises(Broken, match="the server's output is not the language server protocol: a "):
        said[STDOUT].feed(b"/app/x")
    told = inward(config)
    assert told is not None
    with pytest.raises(UsageError, match="the client's input is not the language server protocol"):
        told.feed(b"x")
    told = inward(config)
    assert told is not None
    told.feed(b"Content-Length")
    with pytest.raises(UsageError, match="ends within a message"):
        told.close()


def test_with_copies_the_reader_of_stdout_maps_it() -> None:
    config = ExecConfig(argv=["x"], mapped=MOUNTS, protocol="lsp", library="/cache/web")
    streams = outward(config)
    assert streams.keys() == {STDERR}
    assert streams[STDERR].feed(b"/app/x\n") == b"/shop/x\n"
    told = inward(config)
    assert told is not None
    said = b'{"uri":"file:///cache/web/lib/x","rootUri":"file:///shop/x","x":"file:///cache/y"}'
    heard = b'{"uri":"file:///lib/x","rootUri":"file:///app/x","x":"file:///cache/y"}'
    assert told.feed(framed(said)) == framed(heard)


def test_the_protocol_selects_the_mapping() -> None:
    told = inward(ExecConfig(argv=["x"], mapped=MOUNTS, protocol="dap"))
    assert told is not None
    with pytest.raises(UsageError, match="the client's input is not the debug adapter protocol"):
        told.feed(b"x")
