import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.decide.messages import BrokenFrame, Messages, MessageStream, framed
from rind.decide.path_map import PathMap
from rind.model import Mount

if TYPE_CHECKING:
    from rind.model import MessageProtocol

SHOP = PathMap([Mount("/home/me/shop", "/app")])


def mapped(message: object, protocol: "MessageProtocol", *, outward: bool) -> object:
    stream = MessageStream(SHOP, protocol, outward=outward)
    (body,) = Messages().feed(stream.feed(framed(json.dumps(message).encode())))
    return json.loads(body)


def inward(message: object) -> object:
    return mapped(message, "lsp", outward=False)


def outward(message: object) -> object:
    return mapped(message, "lsp", outward=True)


def test_what_a_client_says() -> None:
    said = {
        "method": "initialize",
        "params": {
            "processId": 4711,
            "rootPath": "/home/me/shop",
            "rootUri": "file:///home/me/shop",
            "workspaceFolders": [{"uri": "file:///home/me/shop/api", "name": "/home/me/shop"}],
        },
    }
    assert inward(said) == {
        "method": "initialize",
        "params": {
            "processId": None,
            "rootPath": "/app",
            "rootUri": "file:///app",
            "workspaceFolders": [{"uri": "file:///app/api", "name": "/home/me/shop"}],
        },
    }


def test_what_a_server_says() -> None:
    edit = {"range": {}, "newText": "see file:///app/x"}
    said = {
        "result": {
            "changes": {"file:///app/x.py": [edit]},
            "contents": {"kind": "markdown", "value": "[x](file:///app/x.py#L3) and `/app`"},
            "uri": "file:///app/%C3%BC.py",
            "processId": 4711,
        }
    }
    assert outward(said) == {
        "result": {
            "changes": {"file:///home/me/shop/x.py": [edit]},
            "contents": {
                "kind": "markdown",
                "value": "[x](file:///home/me/shop/x.py#L3) and `/app`",
            },
            "uri": "file:///home/me/shop/%C3%BC.py",
            "processId": 4711,
        }
    }


def test_a_documents_text_is_its_own() -> None:
    text = "file:///home/me/shop/x"
    for folder, map_it in (("/home/me/shop", inward), ("/app", outward)):
        said = {"uri": f"file://{folder}/x", "text": text, "contentChanges": [{"text": text}]}
        other = "/app" if folder != "/app" else "/home/me/shop"
        assert map_it(said) == {**said, "uri": f"file://{other}/x"}


@pytest.mark.parametrize(
    "body", [b'{"a" :  1.0}', b'{"uri": "file:///elsewhere"}', b'{"processId": null}', b"no json"]
)
def test_bytes_in_which_nothing_is_mapped_stay(body: bytes) -> None:
    for protocol in ("lsp", "dap"):
        stream = MessageStream(SHOP, protocol, outward=False)
        assert stream.feed(framed(body)) == framed(body)


def test_a_debug_adapter_and_its_client() -> None:
    """What is no path is the program's own data."""
    uri = "file:///home/me/shop/x"
    told = {
        "program": "/home/me/shop/x.py",
        "source": {"path": uri, "name": "x.py"},
        "expression": f"'{uri}'",
        "processId": 4711,
    }
    paths = {"program": "/app/x.py", "source": {"path": "file:///app/x", "name": "x.py"}}
    assert mapped(told, "dap", outward=False) == {**told, **paths}
    said = {"source": {"path": "/app/x.py"}, "result": "file:///app/x", uri: "/app/x"}
    expected = {**said, "source": {"path": "/home/me/shop/x.py"}}
    assert mapped(said, "dap", outward=True) == expected


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"starting up\n", "a message begins with b'starting up"),
        (b"Content-Type: x\r\n\r\n", "a header has no Content-Length"),
        (b"Content-Length: x\r\n\r\n", "a header has no Content-Length"),
        (b"Content-Length: 999999999999\r\n\r\n", "a message has 999999999999 bytes"),
        (b"Content-" + b"x" * 5000, "a header is longer than 4096 bytes"),
        (framed(b'{"uri": "file:'), "a message is not JSON"),
        (framed(b'{"path":' + b"[" * 100_000), "a message is not JSON"),
    ],
)
def test_a_broken_frame(said: bytes, why: str) -> None:
    with pytest.raises(BrokenFrame, match=why):
        MessageStream(SHOP, "lsp", outward=True).feed(said)


def test_an_end_within_a_message() -> None:
    for said in (b"Content-", framed(b"{}")[:-1]):
        stream = MessageStream(SHOP, "lsp", outward=True)
        assert stream.feed(said) == b""
        with pytest.raises(BrokenFrame, match="ends within a message"):
            stream.close()
    stream = MessageStream(SHOP, "lsp", outward=True)
    assert stream.feed(framed(b"{}")) == framed(b"{}")
    assert stream.close() == b""


@given(st.lists(st.binary(max_size=20), max_size=5), st.integers(1, 40))
def test_it_does_not_matter_how_messages_are_cut(bodies: list[bytes], size: int) -> None:
    said = b"".join(map(framed, bodies))
    messages = Messages()
    found = [
        body
        for start in range(0, len(said), size)
        for body in messages.feed(said[start : start + size])
    ]
    messages.close()
    assert found == bodies


RECORDED = [
    line.split(" ", 1) for line in Path(__file__).with_name("neovim.txt").read_text().splitlines()
]
"""A session of Neovim with pylsp, and ruff's answers, as Neovim saw them."""
CACHE = "/home/me/.cache/rind/files/web-1-0123456789ab"


def test_a_recorded_session_differs_in_its_paths_alone() -> None:
    """What it should be is found by replacing text, which this session allows."""
    mounts = [Mount("/home/me/my shop", "/srv/shop")]
    library = "/usr/lib/python3.11/os.py"
    told = MessageStream(PathMap([*mounts, Mount(CACHE, "/")]), "lsp", outward=False)
    paths = PathMap(mounts, {library: CACHE + library})
    said = MessageStream(paths, "lsp", outward=True)
    differing = 0
    for who, ours in RECORDED:
        theirs = ours.replace("file:///home/me/my%20shop", "file:///srv/shop").replace(CACHE, "")
        if who == "editor":
            theirs = theirs.replace('"rootPath":"/home/me/my shop"', '"rootPath":"/srv/shop"')
            theirs = theirs.replace('"processId":4711', '"processId":null')
        stream, before, after = (told, ours, theirs) if who == "editor" else (said, theirs, ours)
        (body,) = Messages().feed(stream.feed(framed(before.encode())))
        assert json.loads(body) == json.loads(after)
        assert before != after or body == before.encode()
        differing += before != after
    assert differing > len(RECORDED) / 2
