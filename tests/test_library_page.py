"""The page on the library: each example runs unchanged, and each program works."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from anyio.streams.buffered import BufferedByteReceiveStream
from conftest import TestEngine, wait_until
from pygls.client import JsonRPCClient
from reference import PAGE as PAGE_OF_NAMES
from reference import reference
from test_docs import README, execute_all

import rind

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parents[1].joinpath("rind", "docs", "library.md").read_text()
BLOCKS = re.findall(r"^```python( sync)?\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES, PROGRAMS = PAGE.split("## Programs\n")

WRONG = """\
import subprocess

import rind
from rind import conect  # wrong


def any_process(process: rind.Process) -> None: ...


def text_process(process: rind.TextProcess) -> None: ...


async def main(web: rind.Target, info: rind.EngineInfo) -> None:
    rind.conect()  # wrong
    rind.connect(hots="x")  # wrong
    rind.connect_sync(5)  # wrong
    rind.connect_sync(hots="x")  # wrong
    info.is_rootles  # wrong
    await web.run("ls -l")  # wrong
    await web.run(["ls"], cwd="/")  # wrong
    await rind.run(["ls"], shell=True)  # wrong
    await rind.run(["ls"], capture_output=True)  # wrong
    await rind.run(["ls"], user=1000)  # wrong
    await rind.run(["ls"], timeout="5")  # wrong
    await rind.run(["ls"], env=["A=1"])  # wrong
    await rind.run(["cat"], input="x")  # wrong
    rind.run_sync(["ls"], stdot=rind.DEVNULL)  # wrong
    (await web.run(["ls"])).stdout + "x"  # wrong
    async with web.open_process(["cat"], stdin=rind.DEVNULL) as silent:
        silent.stdin.write(b"x")  # wrong
        any_process(silent)
        text_process(silent)  # wrong
    async with web.open_process(["cat"], stderr=subprocess.DEVNULL) as unknown:
        unknown.stderr.read()  # wrong
        any_process(unknown)
    async with web.open_process(["cat"], encoding="utf-8") as text:
        text.stdin.write(b"x")  # wrong
        text_process(text)
        any_process(text)
    web.open_process(["cat"], on_exit="Kill")  # wrong
"""
"""A program in which a type checker must report exactly the marked lines."""


def code_of(heading: str) -> str:
    """Return a program of the page."""
    section = PROGRAMS.split(f"### {heading}\n")[1].split("\n### ")[0]
    [code] = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return str(code)


def program(heading: str) -> dict[str, Any]:
    """Return the names that a program of the page defines."""
    names: dict[str, Any] = {}
    exec(code_of(heading), names)  # the program
    return names


def test_the_page_of_every_name_is_current() -> None:
    """If it is not, run: python tests/reference.py."""
    assert PAGE_OF_NAMES.read_text() == reference()


@pytest.mark.usefixtures("shop")
async def test_the_pages_examples_run() -> None:
    assert await execute_all(EXAMPLES) >= 7


@pytest.mark.usefixtures("shop")
def test_the_pages_examples_without_a_loop_run() -> None:
    blocks = [code for sync, code in BLOCKS if sync]
    assert blocks
    for block in blocks:
        exec(block, {"print": lambda *_: None})  # the example


@pytest.mark.newest_engine
@pytest.mark.usefixtures("shop")
def test_the_pytest_fixture_works(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(code_of("A pytest fixture"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout


@pytest.mark.usefixtures("shop")
async def test_the_program_for_many_containers_works() -> None:
    said = await program("Many at once")["everywhere"]("echo hello", 2)
    assert said["shop-web-1"] == "hello\n"


@pytest.mark.usefixtures("shop")
async def test_the_byte_stream_of_anyio_works() -> None:
    kind = program("A byte stream of anyio")["CommandStream"]
    async with rind.connect() as client:
        target = await client.find(service="web")
        async with target.open_process(["cat"]) as process, kind(process) as stream:
            buffered = BufferedByteReceiveStream(stream)
            await stream.send(b"one\ntwo")
            assert await buffered.receive_until(b"\n", 100) == b"one"
            await stream.send_eof()
            assert await buffered.receive() == b"two"
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            assert await process.wait() == 0
        async with target.open_process(["sleep", "1000"]) as process:
            await (stream := kind(process)).aclose()
            with pytest.raises(anyio.BrokenResourceError):
                await stream.send(b"x")


@pytest.mark.usefixtures("shop")
async def test_the_language_servers_client_works() -> None:
    uri = "file:///tmp/document.py"
    text = "import collections\ncollections.Ord\n"
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 15}}

    async def use(client: JsonRPCClient) -> None:
        ask, tell = client.protocol.send_request_async, client.protocol.notify
        await ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        tell("initialized", {})
        tell("textDocument/didOpen", {"textDocument": document})
        found = await ask("textDocument/completion", place)
        assert "OrderedDict" in {item.label for item in found.items}

    async with asyncio.timeout(60):
        await program("A language server's client")["talk"](["pylsp"], use)


@pytest.mark.usefixtures("shop")
async def test_the_expect_driver_works() -> None:
    dialogue = [(">>> ", "name = input('who? ')"), (r"who\? ", "me"), (">>> ", "exit()")]
    async with asyncio.timeout(60):
        await program("An expect driver")["answer"](["python", "-q"], dialogue)


@pytest.mark.usefixtures("shop")
async def test_the_terminal_in_a_web_page_works() -> None:
    app = web.Application()
    app.router.add_get("/", program("A terminal in a web page")["terminal"])
    async with (
        asyncio.timeout(60),
        TestServer(app) as server,
        ClientSession() as session,
        session.ws_connect(server.make_url("/")) as socket,
    ):
        await socket.send_json([50, 132])
        await socket.send_bytes(b"stty size; exit\r")
        shown = b"".join([message.data async for message in socket])
        assert b"50 132\r\n" in shown


@pytest.mark.usefixtures("shop")
async def test_the_supervisor_works(engine: TestEngine, tmp_path: Path) -> None:
    told: list[str] = []
    some = asyncio.Event()

    def tell(what: str) -> None:
        told.append(what)
        some.set()

    async def until(what: str) -> None:
        while what not in told:
            some.clear()
            await some.wait()

    async def keeping(argv: list[str], told_of: str) -> None:
        """Run the supervisor until it has reported ``told_of``."""
        task = asyncio.create_task(program("A supervisor")["keep_up"](argv, tell))
        await until(told_of)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    recreate = "compose", "up", "--detach", "--force-recreate", "-t0"
    async with asyncio.timeout(60):
        await keeping(["sh", "-c", "exit 3"], "ended with 3")
        async with asyncio.TaskGroup() as group:
            group.create_task(keeping(["sleep", "1000"], "removed"))
            runs = lambda: "sleep 1000" in engine.cli("top", "shop-web-1")  # noqa: E731 # short
            await asyncio.to_thread(wait_until, runs)
            await asyncio.to_thread(engine.cli, *recreate, cwd=tmp_path)


def checked(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a type checker in the project's root, where mypy's cache is."""
    command = [sys.executable, "-m", program, *arguments]
    env = os.environ | {"PYTHONPATH": ""}  # mypy is compiled for Linux: it fails under tests/macos
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def test_type_checkers_accept_the_examples_and_reject_mistakes(tmp_path: Path) -> None:
    """The README's examples too; code with a top-level ``await`` is put into a function."""
    blocks = [*re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)]
    for number, code in enumerate([*blocks, *(code for _, code in BLOCKS)]):
        text = code
        if re.search(r"^(await|async with|done = await)", code, re.MULTILINE):
            text = f"async def main() -> None:\n{textwrap.indent(code, '    ')}"
        (tmp_path / f"example{number}.py").write_text(text)
    misuse = tmp_path / "wrong.py"
    misuse.write_text(WRONG)
    wrong = {number for number, line in enumerate(WRONG.splitlines(), 1) if "# wrong" in line}
    typed = Path(__file__).with_name("test_signatures.py")
    mypy, pyright = (
        checked("mypy", tmp_path),
        checked("basedpyright", "--outputjson", "--level=error", misuse, typed),
    )
    found = json.loads(pyright.communicate()[0])["generalDiagnostics"]
    at = [(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found]
    assert {*at} == {("wrong.py", line) for line in wrong}, found
    said = mypy.communicate()[0]
    at = [(Path(file).name, int(line)) for file, line in re.findall(r"(.+):(\d+): error", said)]
    assert {*at} == {("wrong.py", line) for line in wrong}, said
