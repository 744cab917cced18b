"""The library's examples, in the README and in every public docstring, run as they stand."""

import ast
import asyncio
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import rind

README = (Path(__file__).parents[1] / "README.md").read_text()

BLOCKING = {rind.SyncClient, rind.SyncTarget, rind.SyncProcess}


def public() -> dict[str, Callable[..., object]]:
    """Return everything that must have an example: the functions, and their results' methods."""
    found: dict[str, Callable[..., object]] = {}
    for name in rind.__all__:
        it = getattr(rind, name)
        if inspect.isfunction(it):
            found[name] = it
        elif it in {rind.Client, rind.Target, rind.Exec, rind.Process, *BLOCKING}:
            for member, method in inspect.getmembers(it, inspect.isfunction):
                if not member.startswith("_"):
                    found[f"{name}.{member}"] = method
    return found


def blocks(name: str) -> bool:
    """Whether a public name is for code that blocks."""
    return name.startswith("Sync") or name.endswith("_sync")


def example(documented: Callable[..., object]) -> str:
    """Return the indented example of a docstring, without its sections."""
    text = documented.__doc__ or ""
    margin = text.rpartition("\n")[2]  # the indentation of the closing quotes
    text = text.replace(f"\n{margin}", "\n")
    return "\n".join(
        textwrap.dedent(block)
        for block in re.findall(r"(?<=\n\n)((?: {4}.*\n?|\n(?= {4}))+)", text)
    )


async def execute(code: str, names: dict[str, object]) -> None:
    """Run code that may use ``await`` at the top level."""
    compiled = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = types.FunctionType(compiled, names)()
    if inspect.iscoroutine(result):
        await result


def test_every_public_docstring_has_an_example_and_its_raises() -> None:
    assert [name for name, it in public().items() if not example(it)] == []
    quiet = {"Client.target", "Client.stands_elsewhere", "Exec.hurry", "Process.hurry"}
    quiet |= {"SyncClient.stands_elsewhere"}
    quiet |= {"Exec.detach", "Exec.write_at_once"}
    quiet |= {f"{name}.aclose" for name in ("Exec", "Process")}
    undocumented = [
        name for name, it in public().items() if "Raises:" not in (inspect.getdoc(it) or "")
    ]
    assert set(undocumented) <= quiet


@pytest.mark.newest_engine
@pytest.mark.usefixtures("shop")
async def test_examples_in_docstrings_run() -> None:
    async with rind.connect() as client:
        web = await client.find(service="web")
        for name, it in public().items():
            if name == "attach_terminal" or blocks(name):
                continue  # see below
            names = {"rind": rind, "asyncio": asyncio, "signal": signal, "client": client}
            async with asyncio.timeout(60), AsyncExitStack() as stack:
                started = await web.start(rind.Command(argv=["cat"], tty=True))
                execution = await stack.enter_async_context(started)
                process = await stack.enter_async_context(web.open_process(["cat"], tty=True))
                used = {"web": web, "execution": execution, "process": process}
                try:
                    await execute(example(it), {**names, **used})
                except BaseException as exc:
                    exc.add_note(f"in the example of {name}")
                    raise
                await execution.send_signal(signal.SIGKILL)
                await process.kill()


@pytest.mark.newest_engine
@pytest.mark.usefixtures("shop")
def test_examples_of_blocking_functions_run() -> None:
    with rind.connect_sync() as client:
        web = client.find(service="web")
        names = {"rind": rind, "signal": signal, "client": client, "web": web}
        for name, it in public().items():
            if name.startswith("SyncProcess."):
                with web.open_process(["cat"], tty=True) as process:
                    exec(example(it), {**names, "process": process})  # the example
            elif blocks(name):
                exec(example(it), dict(names))


@pytest.mark.usefixtures("shop")
def test_the_example_with_a_terminal_runs() -> None:
    code = (
        "import asyncio, rind\n"
        "async def main():\n"
        "    async with rind.connect() as client:\n"
        '        web = await client.find(service="web")\n'
        + textwrap.indent(example(rind.attach_terminal), " " * 8)
        + "\n        assert status == 3\nasyncio.run(main())\n"
    )
    master, slave = os.openpty()
    os.write(master, b"exit 3\r")
    subprocess.run([sys.executable, "-c", code], stdin=slave, stdout=slave, check=True, timeout=60)
    os.close(master)
    os.close(slave)


async def execute_all(page: str) -> int:
    """Run the examples of a page; return how many there are."""
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for block in blocks:
        async with asyncio.timeout(60):
            await execute(block, {"print": lambda *_: None})
    return len(blocks)


@pytest.mark.usefixtures("shop")
async def test_examples_in_the_readme_run() -> None:
    assert await execute_all(README) >= 1
