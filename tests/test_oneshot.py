"""One command in the selected container; the public names."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import TestContainer

import rind


async def test_run_returns_status_and_output(busybox: TestContainer) -> None:
    done = await rind.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"x", **busybox.where)
    assert done == rind.CompletedProcess(
        ["sh", "-c", "cat; echo err >&2; exit 3"], 3, b"x", b"err\n", busybox.name
    )
    text = await rind.run(script="tr a-z A-Z", input="héllo", text=True, **busybox.where)
    assert (text.args, text.stdout, text.stderr) == (["tr a-z A-Z"], "HéLLO", "")
    done = await rind.run(
        script="echo $A; id -un; pwd",
        env={"A": "1 2"},
        user="app",
        workdir="/tmp",
        **busybox.where,
    )
    assert done.stdout == b"1 2\napp\n/tmp\n"
    quiet = await rind.run(["echo"], stdout=rind.DEVNULL, **busybox.where)
    assert not quiet.stdout
    assert (await rind.run(["cat"], **busybox.where)).stdout == b""


def test_run_sync_returns_status_and_output(busybox: TestContainer) -> None:
    assert rind.run_sync(["echo", "x"], text=True, **busybox.where).stdout == "x\n"


async def test_an_iterator_of_words_is_read_once(busybox: TestContainer) -> None:
    for map_paths in (False, True):
        words: Any = (word for word in ["echo", "x"])
        done = await rind.run(words, map_paths=map_paths, **busybox.where)
        assert (done.args, done.stdout) == (["echo", "x"], b"x\n")


async def test_a_failed_check_has_every_attribute(busybox: TestContainer) -> None:
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    with pytest.raises(rind.CommandFailed) as caught:
        await rind.run(argv, check=True, **busybox.where)
    exc = caught.value
    assert (exc.argv, exc.returncode, exc.exit_status) == (argv, 3, 3)
    assert (exc.stdout, exc.stderr, exc.container) == (b"out\n", b"err\n", busybox.name)
    assert str(exc).endswith(f"ended with exit status 3 in {busybox.name}")


async def test_mistakes_raise_clear_errors(busybox: TestContainer) -> None:
    with pytest.raises(rind.UsageError, match="a command is a list of words, but got 'ls -l'"):
        await rind.run("ls -l", **busybox.where)  # type: ignore[call-overload] # it is what is tested
    with pytest.raises(rind.UsageError, match="needs at least one word"):
        await rind.run([], **busybox.where)
    with pytest.raises(rind.SelectionError, match="has the name nobody"):
        await rind.run(["ls"], host=busybox.engine.host, container="nobody")
    with pytest.raises(rind.Unreachable):
        await rind.run(["ls"], host="unix:///nowhere", container="nobody")
    with pytest.raises(rind.StartError):
        await rind.run(["nope"], **busybox.where)


PUBLIC = """
AmbiguousError Broken BytesProcess Client Command CommandError CommandFailed CommandOptions
CompletedProcess Container ContainerGone DEVNULL EngineError EngineInfo Exec ExecConfig ExecState
ExitStatus LeftRunning LocalFile Lost NoContainerError OutputMissing PIPE Process Profile Refused
RindError RunOptions STDOUT SelectionError StartError StdinWriter SyncClient SyncProcess SyncTarget
Target TextProcess TextReader TextWriter TimedOut TooMuchOutput TtyProcess Unreachable UsageError
Wanted WantedFields Word attach_terminal connect connect_sync run run_sync
"""


def test_the_public_names_are_pinned() -> None:
    assert sorted(rind.__all__) == PUBLIC.split()
    for name in rind.__all__:
        it = getattr(rind, name)
        assert not (inspect.isclass(it) or inspect.isroutine(it)) or inspect.getdoc(it), name
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        rind.nope  # type: ignore[attr-defined] # noqa: B018 # that is what is tested


def test_type_checkers_and_completion_see_only_these_names() -> None:
    tree = ast.parse(Path(rind.__file__).read_text())
    homes = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "importlib"
        for alias in node.names
    }
    assert homes == {name: f"rind.{module}" for name, module in rind._HOMES.items()}
    assert set(homes) == set(rind.__all__)
    assert rind._CONNECTS.issubset(rind.__all__)
    assert [name for name in dir(rind) if not name.startswith("__")] == sorted(rind.__all__)


def test_every_error_is_in_one_tree() -> None:
    for name in rind.__all__:
        it = getattr(rind, name)
        if isinstance(it, type) and issubclass(it, BaseException):
            assert issubclass(it, rind.RindError), name


def test_importing_rind_loads_nothing() -> None:
    script = "import sys, rind; print([it for it in sys.modules if it.startswith('rind.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize("name", ["connect", "run"])
def test_importing_connect_loads_everything_for_connecting(name: str) -> None:
    """Importing during the connection would block the event loop."""
    code = (
        f"import sys, asyncio; from rind import {name}; before = set(sys.modules)\n"
        "async def main():\n"
        "    import rind\n"
        "    try:\n"
        "        await rind.run(['true'], host='unix:///nowhere')\n"
        "    except rind.Unreachable:\n"
        "        print(*(set(sys.modules) - before))\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.startswith("ai")]
