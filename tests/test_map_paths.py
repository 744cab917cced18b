"""The same paths on both sides, in real containers with bind mounts."""

import asyncio
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer
from lsp import LspClient

import rind
from rind.decide.messages import framed


@pytest.fixture
def shop(tmp_path: Path, containers: Containers) -> tuple[TestContainer, Path]:
    """Return a container that has a folder of ours as /app, and the folder."""
    folder = tmp_path / "my shop"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "x.py").write_text("x = 1\n")
    return containers("busybox", "", "--volume", f"{folder}:/app"), folder


def test_words_and_output_are_mapped(shop: tuple[TestContainer, Path]) -> None:
    container, folder = shop
    script = 'pwd; printf "[%s]\\n" "$@"; cat "$1" >&2; echo "$1:1: E1" >&2'
    words = [str(folder / "api/x.py"), f"--config={folder}/c", f"file://{folder}/y", "/etc"]
    done = container.rind("--map-paths", "-c", script, *words, cwd=folder / "api")
    uri = f"file://{folder}/y".replace(" ", "%20")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        str(folder / "api"),
        f"[{folder}/api/x.py]",
        f"[--config={folder}/c]",
        f"[{uri}]",
        "[/etc]",
    ]
    assert done.stderr.decode() == f"x = 1\n{folder}/api/x.py:1: E1\n"


def test_nothing_is_mapped_unless_asked_for(shop: tuple[TestContainer, Path]) -> None:
    container, folder = shop
    say = ["echo", "/app", str(folder)]
    assert container.rind(*say).stdout.decode() == f"/app {folder}\n"
    mapped = f"{folder} {folder}\n"
    assert container.rind("--map-paths", *say).stdout.decode() == mapped
    assert container.rind(*say, RIND_MAP_PATHS="1").stdout.decode() == mapped
    done = container.rind("--no-map-paths", *say, RIND_MAP_PATHS="1")
    assert done.stdout.decode() == f"/app {folder}\n"


def test_a_terminal_has_its_colours_and_our_paths_until_a_key_is_typed(
    shop: tuple[TestContainer, Path],
) -> None:
    container, folder = shop
    script = r"printf '\033[1m\033[35m/app/x\033[m:3\n'; read x; echo /app/$x"
    child = container.spawn("--map-paths", "-c", script, size=(24, 200))
    child.expect_exact(f"\x1b[1m\x1b[35m{folder}/x\x1b[m:3\r\n")
    child.send("/app/k\r")
    child.expect_exact("/app/k\r\n/app//app/k\r\n")
    child.expect(pexpect.EOF)
    child = container.spawn("--map-paths", "-c", r"printf '\033[?1049h/app/x'", size=(24, 200))
    child.expect_exact("\x1b[?1049h/app/x")
    child.expect(pexpect.EOF)


def test_the_label_asks_for_it(tmp_path: Path, containers: Containers) -> None:
    label = "test.map"
    options = ["--volume", f"{tmp_path}:/app", "--label", f"{label}.map-paths=true"]
    container = containers("busybox", "", *options, label=label)
    done = container.rind("--container", container.name, "echo", "/app", RIND_LABEL=label)
    assert done.stdout.decode() == f"{tmp_path}\n"
    wrong = containers("busybox", "", "--label", "test.wrong.map-paths=1", label="test.wrong")
    done = wrong.rind("--container", wrong.name, "true")
    assert done.returncode == 125
    assert b"the label test.wrong.map-paths needs true or false, but is '1'" in done.stderr


def test_a_folder_by_another_name(shop: tuple[TestContainer, Path], tmp_path: Path) -> None:
    container, folder = shop
    link = tmp_path / "link"
    link.symlink_to(folder)
    done = container.rind("--map-paths", "cat", str(link / "api/x.py"))
    assert (done.returncode, done.stdout) == (0, b"x = 1\n")


async def test_the_library_maps_too(shop: tuple[TestContainer, Path]) -> None:
    container, folder = shop
    where = container.where
    done = await rind.run(["echo", f"{folder}/api"], map_paths=True, **where)
    assert done.stdout == f"{folder}/api\n".encode()
    done = await rind.run(["printf", "x /ap"], map_paths=True, **where)
    assert done.stdout == b"x /ap"
    async with rind.connect(where["host"]) as client:
        target = await client.find(container=where["container"])
        assert target.map_path(folder / "api") == "/app/api"
        assert target.unmap_path("/app/api") == str(folder / "api")
        assert target.map_path("/etc") == target.unmap_path("/etc") == "/etc"


async def test_a_language_server_knows_our_files(tmp_path: Path, containers: Containers) -> None:
    folder = tmp_path / "my shop"
    folder.mkdir()
    (folder / "other.py").write_text('def wanted():\n    """Be wanted."""\n')
    text = "from other import wanted\nfrom django.urls import converters\nwanted()\n"
    (folder / "x.py").write_text(text)
    step = "source /venv/bin/activate"
    container = containers("django", step, "--volume", f"{folder}:/srv/shop")
    process = await asyncio.create_subprocess_exec(
        *(RIND, "--lsp", "pylsp"),
        env=container.environ(XDG_CACHE_HOME=str(tmp_path / "my cache")),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    client = LspClient(process.stdout, process.stdin)
    root = folder.as_uri()
    await client.request("initialize", {"processId": 1, "rootUri": root, "capabilities": {}})
    await client.notify("initialized", {})
    path = folder / "x.py"
    document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
    await client.notify("textDocument/didOpen", {"textDocument": document})
    where = {"textDocument": {"uri": path.as_uri()}, "position": {"line": 2, "character": 2}}
    (found,) = await client.request("textDocument/definition", where)
    assert found["uri"] == (folder / "other.py").as_uri()
    renamed = await client.request("textDocument/rename", {**where, "newName": "sought"})
    changed = [edit["textDocument"]["uri"] for edit in renamed["documentChanges"]]
    assert set(changed) == {path.as_uri(), (folder / "other.py").as_uri()}
    await check_library(client, path, tmp_path / "my cache")
    await client.close()
    assert await process.wait() == 0


async def check_library(client: LspClient, path: Path, cache: Path) -> None:
    """Go to a definition in a library, which is in the container only, and on from there."""
    where = {"textDocument": {"uri": path.as_uri()}, "position": {"line": 1, "character": 27}}
    (found,) = await client.request("textDocument/definition", where)
    (library,) = (file for file in cache.rglob("*") if file.is_file())
    assert library.match("rind/files/*/venv/lib/*/site-packages/django/urls/converters.py")
    assert found["uri"] == library.as_uri()
    assert library.stat().st_mode & 0o777 == 0o400
    text = library.read_text()
    await client.show(library, text)
    line = text.splitlines().index("class IntConverter:")
    where = {"textDocument": {"uri": found["uri"]}, "position": {"line": line, "character": 8}}
    asked = {**where, "context": {"includeDeclaration": True}}
    references = await client.request("textDocument/references", asked)
    assert [place["uri"] for place in references] == [found["uri"]] * text.count("IntConverter")
    renamed = await client.request("textDocument/rename", {**where, "newName": "Sought"})
    changed = [edit["textDocument"]["uri"] for edit in renamed["documentChanges"]]
    assert found["uri"] in changed


def test_a_client_or_a_server_that_is_none(
    shop: tuple[TestContainer, Path], tmp_path: Path
) -> None:
    container, _ = shop
    for command, stdin, whose in (
        (["cat"], b"hello\n", "the client's input"),
        (["echo", "Starting up"], b"", "the server's output"),
    ):
        done = container.rind("--lsp", *command, stdin=stdin, XDG_CACHE_HOME=str(tmp_path))
        assert (done.returncode, done.stdout) == (125, b"")
        assert f"{whose} is not the language server protocol: ".encode() in done.stderr
        assert done.stderr.count(b"\n") == 1


@pytest.mark.newest_engine
def test_a_debugger_stops_in_our_files(tmp_path: Path, containers: Containers) -> None:
    program = tmp_path / "my shop" / "x.py"
    program.parent.mkdir()
    program.write_text("def one():\n    return 1\n\n\nprint(one())\n")
    found = importlib.util.find_spec("debugpy")
    assert found
    assert found.origin
    debugpy = Path(found.origin).parent
    packages = "/venv/lib/python3.11/site-packages"
    volumes = (f"{program.parent}:/srv/shop", f"{debugpy}:{packages}/debugpy:ro")
    options = [word for volume in volumes for word in ("--volume", volume)]
    container = containers("django", "source /venv/bin/activate", *options)
    command = [RIND, "--dap", "-e", "PYDEVD_DISABLE_FILE_VALIDATION=1"]
    with subprocess.Popen(
        [*command, "python", "-m", "debugpy.adapter"],
        env=container.environ(),
        cwd=program.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as adapter:
        debugger = Debugger(adapter)
        debugger.send("initialize", adapterID="python", pathFormat="path")
        console = {"console": "internalConsole", "redirectOutput": True}
        debugger.send("launch", program=str(program), cwd=str(program.parent), **console)
        debugger.wait_for("event", "initialized")
        lines = [{"line": 2}]
        debugger.send("setBreakpoints", source={"path": str(program)}, breakpoints=lines)
        debugger.send("configurationDone")
        thread = debugger.wait_for("event", "stopped")["threadId"]
        debugger.send("stackTrace", threadId=thread)
        frames = debugger.wait_for("response", "stackTrace")["stackFrames"]
        assert [frame["source"]["path"] for frame in frames] == [str(program)] * 2
        assert [frame["line"] for frame in frames] == [2, 5]
        debugger.send("continue", threadId=thread)
        debugger.wait_for("event", "terminated")
        debugger.told.close()
        adapter.wait(TIMEOUT)  # its status is its own


class Debugger:
    """A client of the debug adapter protocol."""

    def __init__(self, adapter: "subprocess.Popen[bytes]") -> None:
        assert adapter.stdin
        assert adapter.stdout
        self.told, self.said = adapter.stdin, adapter.stdout
        self.number = 0

    def send(self, command: str, **arguments: object) -> None:
        self.number += 1
        message = {"seq": self.number, "type": "request", "command": command}
        self.told.write(framed(json.dumps({**message, "arguments": arguments}).encode()))
        self.told.flush()

    def wait_for(self, kind: str, name: str) -> Any:
        """Read until a message of this kind; return its body."""
        while True:
            length = int(self.said.readline().removeprefix(b"Content-Length: "))
            assert self.said.readline() == b"\r\n"
            message = json.loads(self.said.read(length))
            assert message.get("success", True), message
            if message["type"] == kind and name in (message.get("event"), message.get("command")):
                return message.get("body")
