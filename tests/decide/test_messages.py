import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import with_paths

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


@pytest.mark.parametrize("quoted", ["Bob's%20shop%20(1)", "Bob%27s%20shop%20%281%29"])
def test_a_uri_ends_where_its_string_does(quoted: str) -> None:
    """Neovim, Emacs and Helix leave apostrophes and parentheses as they are."""
    stream = MessageStream(
        PathMap([Mount("/home/me/Bob's shop (1)", "/app")]), "lsp", outward=False
    )
    said = b'{"uri":"file:///home/me/%b/x.py","k":["file:///home/me/%b/"]}'
    expected = b'{"uri":"file:///app/x.py","k":["file:///app/"]}'
    assert stream.feed(framed(said % ((quoted.encode(),) * 2))) == framed(expected)


def test_half_a_character_stays() -> None:
    """UTF-8 has no bytes for it: editors and servers that count in UTF-16 write an escape."""
    said = rb'{"uri":"file:///home/me/shop/x","text":"\ud83d","range":1}'
    stream = MessageStream(SHOP, "lsp", outward=False)
    assert stream.feed(framed(said)) == framed(said.replace(b"/home/me/shop", b"/app"))


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


@dataclass(frozen=True)
class Side:
    """Where the same files are for an editor, or for its server."""

    folder: str
    libraries: str

    def uri(self, name: str) -> str:
        return f"file://{quote(self.folder)}/{quote(name)}"

    def lax_uri(self, name: str) -> str:
        """Return the URI with as few quotes as Neovim, Emacs and Helix have."""
        return f"file://{quote(f'{self.folder}/{name}', safe=SAFE)}"


SAFE = "/~!$&'()*+,;=:@"
EDITOR = Side("/home/me/Bob's shop (1)", f"file://{CACHE}/usr/lib/python3.11/os.py")
SERVER = Side("/srv/shop", "file:///usr/lib/python3.11/os.py")
NAMES = ["shop.py", "a b/x.py", "größe 100%.py", "#1?.py", "日本/語.py", "'(x)'.py"]
PIECES = ["x", "\r\n", "\t", "é", "😀", "\ud83d", '"', "\\", "\u2028", "\0", "100%25"]
PIECES += [f"see {side.uri('shop.py')}\r\n{side.folder}" for side in (EDITOR, SERVER)]


def minute(side: Side, number: int) -> Iterator[tuple[str, object]]:
    """Yield who says what while somebody types: each kind of message that can have paths."""
    chance = random.Random(number)
    name, other = chance.sample(NAMES, 2)
    text, uri = "".join(chance.choices(PIECES, k=9)), side.lax_uri(name)
    at = {"start": {"line": number, "character": 0}, "end": {"line": number, "character": 9}}
    edit: dict[str, object] = {"range": at, "newText": text}
    where: dict[str, object] = {"uri": uri, "range": at}
    document = {"textDocument": {"uri": uri, "version": number}}
    for key in text:
        change = {**document, "contentChanges": [{"range": at, "text": key}]}
        yield "editor", {"method": "textDocument/didChange", "params": change}
        yield "editor", {"method": "$/cancelRequest", "params": {"id": number}}

    shown = f"[x]({side.uri(name)}#L{number}) `{side.libraries}` {side.uri(other)}: 😀 \ud83d"
    markdown = {"contents": {"kind": "markdown", "value": shown}}
    new = {"kind": "rename", "oldUri": uri, "newUri": side.lax_uri(other)}
    results = [
        {"isIncomplete": True, "items": [{"textEdit": edit, "data": where}] * (number * 3)},
        [{"name": "\ud83d", "location": where}, {"name": "x", "children": []}] * (number * 3),
        {"data": [chance.randrange(99) for _ in range(number * 9)], "resultId": "1"},
        [{"targetUri": side.libraries, "originSelectionRange": at}, where],
        {"changes": {uri: [edit], side.lax_uri(other): [edit, edit]}},
        {"documentChanges": [{**document, "edits": [edit]}, new]},
        [{"from": {"name": "x", "uri": uri}, "fromRanges": [at]}],
        [{"command": "x", "arguments": [uri, 1.50, {"fsPath": side.folder}]}],
        *(markdown, None),
    ]
    for result in results:
        asked = {"id": number, "params": {**document, "position": at["start"]}}
        yield "editor", {"method": "textDocument/x", **asked}
        yield "server", {"id": number, "result": result}
    related = [{"message": shown, "relatedInformation": [{"location": where}]}]
    said = {
        "textDocument/publishDiagnostics": {"uri": uri, "diagnostics": related},
        "$/progress": {"token": 1.5, "value": {"kind": "report", "message": shown}},
        "workspace/configuration": {"items": [{"scopeUri": uri, "section": "x"}]},
        "window/showDocument": {"uri": uri, "selection": at},
        "workspace/applyEdit": {"edit": {"documentChanges": [new]}},
    }
    for method, params in said.items():
        yield "server", {"id": f"{method}-{number}", "method": method, "params": params}
        yield (
            "editor",
            {"id": f"{method}-{number}", "result": [{"cwd": side.folder, "uri": side.libraries}]},
        )


@pytest.mark.parametrize("who", ["editor", "server"])
def test_a_long_session_differs_in_its_paths_alone(who: str) -> None:
    mounts = [Mount(EDITOR.folder, SERVER.folder)]
    chance = random.Random(who)
    if who == "editor":
        paths, before, after = PathMap([*mounts, Mount(CACHE, "/")]), EDITOR, SERVER
    else:
        library = SERVER.libraries.removeprefix("file://")
        paths, before, after = PathMap(mounts, {library: CACHE + library}), SERVER, EDITOR
    said, expected = (
        [what for number in range(30) for speaker, what in minute(side, number) if speaker == who]
        for side in (before, after)
    )
    bodies = [json.dumps(what, ensure_ascii=chance.random() < 0.5) for what in said]
    stream = b"".join(framed(body.encode(errors="backslashreplace")) for body in bodies)
    mapper = MessageStream(paths, "lsp", outward=who == "server")
    result, end = bytearray(), 0
    while end < len(stream):
        start, end = end, end + chance.choice([1, 20, 4096, 65536])
        result += mapper.feed(stream[start:end])
    originals, results = (Messages().feed(bytes(data)) for data in (stream, result))
    for original, written, what in zip(originals, results, expected, strict=True):
        assert with_paths(json.loads(written.decode()), {}) == with_paths(what, {})
        assert written == original or json.loads(written) != json.loads(original)
    assert len(results) > 400
