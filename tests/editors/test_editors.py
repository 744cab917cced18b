"""Real editors, with the page's own recipes, and language servers in a container."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, wait_until
from console import assert_says, examples
from screen import Screen
from traffic import differing, recorder

pytestmark = pytest.mark.newest_engine

STOCK = 'def wanted():\n    """Be wanted."""\n'
SHOP = "import os\nfrom stock import wanted\n\nwanted( )\n"
HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "rind" / "docs" / "editors.md").read_text()


@dataclass(frozen=True)
class Project:
    """A project of this machine, and the container that has it at another path, with tools."""

    folder: Path
    container: TestContainer
    home: Path

    def environ(self, **more: str) -> dict[str, str]:
        """Return what an editor starts with, which has rind on its PATH."""
        folders = [str(self.home / "bin"), str(Path(RIND).parent), os.environ["PATH"]]
        path = os.pathsep.join(folders)
        docker = shlex.join(["env", f"DOCKER_HOST={self.container.engine.host}"])
        docker += shlex.join([" ", self.container.engine.docker]).removeprefix("' '")
        restart = f"{docker} restart -t0 {self.container.name} >/dev/null"
        return self.container.environ(PATH=path, HOME=str(self.home), RESTART=restart, **more)

    def edit(self, *command: str, **more: str) -> dict[str, str]:
        """Run an editor that says in its last line, in JSON, what it has seen."""
        done = subprocess.run(
            command,
            env=self.environ(**more),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT * 1.5,
        )
        said = done.stdout.decode().splitlines()
        assert done.returncode == 0, (said, done.stderr.decode())
        assert b"ResourceWarning" not in done.stderr, done.stderr
        result: dict[str, str] = json.loads(said[-1])
        return result

    def is_renamed(self) -> bool:
        """Whether both files have the new name, where they are here."""
        files = [(self.folder / name).read_text() for name in ("shop.py", "stock.py")]
        return all("sought" in text and "wanted(" not in text for text in files)


@pytest.fixture
def project(tmp_path: Path, containers: Containers) -> Project:
    folder, home = tmp_path / "Bob's shop (1)", tmp_path / "home"
    for made in (folder / ".git", home):
        made.mkdir(parents=True)
    (folder / "stock.py").write_text(STOCK)
    (folder / "shop.py").write_text(SHOP)
    ruff = Path(sys.executable).with_name("ruff")
    volumes = ("--volume", f"{folder}:/srv/shop", "--volume", f"{ruff}:/venv/bin/ruff:ro")
    container = containers("django", "source /venv/bin/activate", *volumes)
    return Project(folder, container, home)


def recipe(file: str) -> str:
    """Return what the page says for a file of the user's."""
    block = rf"^`{re.escape(file)}`[^\n]*:\n\n```\w+\n(.*?)^```"
    found = re.search(block, PAGE, re.MULTILINE | re.DOTALL)
    assert found, file
    return found[1]


def test_neovim(project: Project) -> None:
    config = project.home / ".config" / "nvim" / "init.lua"
    config.parent.mkdir(parents=True)
    config.write_text(recipe("~/.config/nvim/init.lua"))
    seen = project.edit(
        os.environ["RIND_TEST_NVIM"], "--headless", "-c", f"luafile {HERE}/check.lua"
    )
    stock = str(project.folder / "stock.py")
    assert seen.pop("hover").count("Be wanted.") == 1
    assert seen.pop("library")
    assert seen == {"diagnostic": "F401", "definition": stock, "after_restart": stock}
    assert project.is_renamed()
    assert "sought()" in (project.folder / "shop.py").read_text()  # formatted


def test_emacs(project: Project) -> None:
    config = project.home / ".emacs.d" / "init.el"
    config.parent.mkdir(parents=True)
    config.write_text(recipe("~/.emacs.d/init.el"))
    words = ("--batch", "--load", str(config), "--load", str(HERE / "check.el"))
    seen = project.edit(os.environ["RIND_TEST_EMACS"], *words)
    stock = str(project.folder / "stock.py")
    assert seen.pop("hover").count("Be wanted.") == 1
    assert seen.pop("library")
    assert seen == {"definition": stock, "after_restart": stock}
    assert project.is_renamed()


def test_helix(project: Project) -> None:
    config = project.home / ".config" / "helix" / "languages.toml"
    config.parent.mkdir(parents=True)
    config.write_text(recipe("~/.config/helix/languages.toml"))
    child = pexpect.spawn(
        os.environ["RIND_TEST_HELIX"],
        ["shop.py:1:8"],
        env=project.environ(),
        cwd=str(project.folder),
        dimensions=(30, 100),
        timeout=TIMEOUT,
    )
    screen = Screen(child, 30, 100)

    def wait_for(*texts: str) -> str:
        def seen(lines: list[str]) -> bool:
            return any(text in line for line in lines for text in texts)

        return "\n".join(screen.wait_for(seen))

    def wait_for_end(text: str) -> None:
        screen.wait_for(lambda lines: not any(text in line for line in lines))

    wait_for("imported but unused")
    child.send("4gggd")
    while "stock.py" not in wait_for(" stock.py", "No "):
        child.send("\x1b")  # the other server is not ready
        wait_for_end("No ")
        child.send("gd")
    child.send("\x0f k")  # back; what hovers
    wait_for("Be wanted.")
    child.send("\x1b")
    wait_for_end("Be wanted.")
    child.send(" r")
    wait_for("rename-to:")
    child.send("\x15sought\r")
    wait_for("sought( )")
    child.send(":wa\r")
    wait_until(project.is_renamed)
    child.send(":qa!\r")
    child.expect(pexpect.EOF)


def test_visual_studio_code(project: Project) -> None:
    """Its own language client, in Node; all its messages are compared with what Rind made of them.

    `vscode-languageclient` has the editor's transport, its way to quote a URI and to restart a
    server. A stub replaces the module `vscode`, which only the editor itself has.
    """
    here, there = project.home / "here", project.folder / ".git" / "there"
    extension, program = project.home / "extension.js", project.home / "bin" / "rind"
    extension.write_text(recipe("extension.js"))
    program.parent.mkdir()
    program.write_text(recorder(RIND, str(here)))
    program.chmod(0o755)
    script = shlex.quote(recorder("/venv/bin/server", "/srv/shop/.git/there"))
    project.container.inside(
        "cp -p /venv/bin/pylsp /venv/bin/server && printf %s " + script + " >/venv/bin/pylsp"
    )
    modules = os.pathsep.join([str(HERE), os.environ["RIND_TEST_NODE_MODULES"]])
    words = ("node", str(HERE / "check.js"), str(extension), "größe #1+.py")
    seen = project.edit(*words, NODE_PATH=modules)
    stock, library = str(project.folder / "stock.py"), seen.pop("library")
    assert seen.pop("hover").count("Be wanted.") == 1
    assert seen == {"definition": stock, "after_restart": stock, "status": "0"}
    assert project.is_renamed()

    copies = library.removesuffix("/usr/lib/python3.11/os.py")
    assert copies.startswith(str(project.home / ".cache"))
    inward = {copies: "", str(project.folder): "/srv/shop"}
    assert differing(f"{here}.in", f"{there}.in", inward) > 200
    outward = {"file:///srv/shop": f"file://{project.folder}"}
    outward |= {f"file://{folder}": f"file://{copies}{folder}" for folder in ("/usr", "/venv")}
    assert differing(f"{there}.out", f"{here}.out", outward) > 20


def test_the_examples(project: Project) -> None:
    (project.folder / "x.py").write_text("import os\n")
    for file in ("shop.py", "stock.py"):
        (project.folder / file).unlink()
    (project.home / "bin" / "shims").mkdir(parents=True)
    env = project.environ(RUFF_NO_CACHE="true", DIR=str(project.folder))
    found = examples(PAGE.replace("/home/me/shop", str(project.folder)))
    assert len(found) == 3
    for command, expected in found:
        quoted = command.replace(str(project.folder), '"$DIR"', 1)
        assert_says(quoted, expected, env, project.home)


def test_sublime_text() -> None:
    """Which is not here: the commands are those that the other editors run."""
    clients = json.loads(recipe("LSP.sublime-settings"))["clients"]
    others = tomllib.loads(recipe("~/.config/helix/languages.toml"))["language-server"]
    assert {name: client["command"] for name, client in clients.items()} == {
        name: [server["command"], *server["args"]] for name, server in others.items()
    }


def test_a_task_of_visual_studio_code(project: Project) -> None:
    (task,) = json.loads(recipe(".vscode/tasks.json"))["tasks"]
    done = subprocess.run(
        [task["command"], *task["args"][:-1], str(project.folder)],
        env=project.environ(),
        cwd=project.folder,
        capture_output=True,
        check=False,
        text=True,
    )
    pattern = task["problemMatcher"]["pattern"]
    problems = re.finditer(pattern["regexp"], done.stdout, re.MULTILINE)
    (found,) = [one for one in problems if one[pattern["message"]].startswith("F401")]
    assert (project.folder / found[pattern["file"]]).samefile(project.folder / "shop.py")
    assert (found[pattern["line"]], found[pattern["column"]]) == ("1", "8")


@pytest.mark.parametrize("file", [".git/hooks/pre-commit", ".pre-commit-config.yaml"])
def test_git_hooks(project: Project, file: str) -> None:
    def git(*words: str) -> int:
        identity = ("-c", "user.name=x", "-c", "user.email=x")
        done = subprocess.run(
            ["git", *identity, *words],
            env=project.environ(),
            cwd=project.folder,
            capture_output=True,
            check=False,
            text=True,
        )
        said.append(done.stdout + done.stderr)
        return done.returncode

    said: list[str] = []
    git("init", "--quiet")
    hook = project.folder / file
    hook.write_text(recipe(file))
    hook.chmod(0o755)
    if not file.startswith(".git/"):
        command = ["pre-commit", "install"]
        subprocess.run(command, env=project.environ(), cwd=project.folder, check=True)
    git("add", "shop.py", "stock.py")
    assert git("commit", "--message", "x") == 1
    assert "shop.py:1:8" in said[-1]
    (project.folder / "shop.py").write_text("from stock import wanted\n\nwanted()\n")
    git("add", "shop.py")
    assert git("commit", "--message", "x") == 0, said
