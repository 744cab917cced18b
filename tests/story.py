"""The story of the README's picture: the keys typed into two terminals, recorded with the output.

All output is the programs' own, on real terminals; only the captions and the seconds are made up.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pexpect
from conftest import TIMEOUT, TestEngine, wait_until
from picture import COLUMNS, Frame, View, view
from screen import Screen

TITLE = "Rind in two worktrees of a project"
DESCRIPTION = (
    "Two terminals, in two worktrees of one project that each have a stack of their own. In each,"
    " rind --list marks the container of that worktree. In the second, rind runs Django's"
    " createsuperuser, which asks questions and hides the password. In the first, rind runs"
    " Django's development server. docker top shows it in the container. Then the first terminal"
    " is killed, and docker top shows that nothing of the server is left."
)
_BRANCHES = {"shop": "main", "shop-cart": "cart"}
_QUESTIONS = {
    "Username (leave blank to use 'root'):": "ada",
    "Email address:": "ada@example.com",
    "Password:": "of lovelace",
    "Password (again):": "of lovelace",
}
_TOP = "docker top shop-web-1 -o pid,args"


class Terminal:
    """A shell on a terminal, in one of the worktrees."""

    def __init__(self, folder: Path, env: dict[str, str], rows: int) -> None:
        title = f"~/{folder.name}  (branch {_BRANCHES[folder.name]})"
        prompt = rf"\[\e]0;{title}\a\e[32m\]\w\[\e[0m\] $ "
        self.child = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile"],
            env={**env, "PS1": prompt},
            cwd=str(folder),
            dimensions=(rows, COLUMNS),
            timeout=TIMEOUT,
        )
        self.child.delaybeforesend = None
        self.screen = Screen(self.child, rows, COLUMNS)
        self.prompt = f"~/{folder.name} $"
        self.killed = False

    @property
    def cursor(self) -> tuple[int, int]:
        return self.screen.screen.cursor.y, self.screen.screen.cursor.x

    def view(self, *, active: bool) -> View:
        return replace(view(self.screen.screen, active=active), killed=self.killed)

    def wait_for(self, last: str) -> None:
        """Wait until the last line that is not empty is this one."""

        def seen(lines: list[str]) -> bool:
            return [line for line in lines if line][-1:] == [last]

        self.screen.wait_for(seen)

    def press(self, key: str) -> None:
        """Press a key, and wait until the terminal shows it."""
        before = self.cursor
        self.child.send(key)
        self.screen.wait_for(lambda _: self.cursor != before)

    def kill(self) -> None:
        """Kill the program that runs in the terminal, then the shell, and close the terminal."""
        os.killpg(os.tcgetpgrp(self.child.child_fd), signal.SIGKILL)
        self.child.kill(signal.SIGKILL)
        self.child.close()
        self.killed = True


class Recorder:
    """Collects the frames, one after another."""

    def __init__(self, terminals: list[Terminal]) -> None:
        self.terminals = terminals
        self.frames: list[Frame] = []
        self.caption = ""

    def show(self, terminal: Terminal, seconds: float) -> None:
        """Add a frame; the terminal is the one in use."""
        views = tuple(each.view(active=each is terminal) for each in self.terminals)
        self.frames.append(Frame(seconds, self.caption, views))

    def type(self, terminal: Terminal, text: str) -> None:
        for key in text:
            terminal.press(key)
            self.show(terminal, 0.05)
        self.show(terminal, 0.4)

    def run(self, terminal: Terminal, command: str, seconds: float, last: str = "") -> None:
        """Type a command, and show its output once the last line is there."""
        self.type(terminal, command)
        terminal.press("\r")
        terminal.wait_for(last or terminal.prompt)
        self.show(terminal, seconds)


def recorded(engine: TestEngine, folders: list[Path], env: dict[str, str]) -> list[Frame]:
    """Play the story in these worktrees, whose stacks are up."""
    first, second = (
        Terminal(folder, env, rows) for folder, rows in zip(folders, (11, 12), strict=True)
    )
    it = Recorder([first, second])
    for terminal in (second, first):
        terminal.wait_for(terminal.prompt)
    it.caption = "Two worktrees of a project, each with its own stack"
    it.show(first, 1.5)
    it.run(first, "rind --list", 0.5)
    it.caption = "Rind uses the container of the worktree that you are in (*)"
    it.show(first, 2)
    it.run(second, "rind --list", 2.5)
    it.caption = "Programs get a real terminal: this one asks, and hides a password"
    _answer(it, second)
    it.caption = "A server runs in the first worktree's container"
    it.run(first, "rind ./manage.py runserver", 2, "Quit the server with CONTROL-C.")
    it.caption = "Docker lists what runs there; the leash is Rind's"
    wait_until(lambda: _has(engine, "rind-leash") and _has(engine, "/venv/bin/python"))
    it.run(second, _TOP, 3)
    it.caption = "Kill the window, Rind and all …"
    first.kill()
    it.show(second, 2)
    wait_until(lambda: not _has(engine, "rind-leash|python"))
    it.run(second, _TOP, 0.5)
    it.caption = "… and nothing of it is left in the container"
    it.show(second, 6)
    second.kill()
    return it.frames


def _answer(it: Recorder, terminal: Terminal) -> None:
    it.type(terminal, "rind ./manage.py createsuperuser")
    terminal.press("\r")
    for question, answer in _QUESTIONS.items():
        terminal.wait_for(question)
        it.show(terminal, 0.8)
        if question.startswith("Password"):  # which shows nothing
            terminal.child.send(answer)
        else:
            it.type(terminal, answer)
        terminal.child.send("\r")
    terminal.wait_for(terminal.prompt)
    it.show(terminal, 2.5)


def _has(engine: TestEngine, words: str) -> bool:
    listed = engine.cli("top", "shop-web-1", "-eo", "pid,args")
    return any(word in listed for word in words.split("|"))
