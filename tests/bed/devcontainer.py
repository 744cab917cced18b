"""The devcontainer CLI of npm, by the Node that the virtual environment has."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

from bed.checkout import BED, VENV, once, write_script
from bed.say import run, step

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGE = "@devcontainers/cli@0.89.0"


def devcontainer() -> Path:
    """Return the program."""
    node, npm = VENV / "bin" / "node", VENV / "bin" / "npm"

    def install(folder: Path) -> None:
        folder.mkdir()
        # npm's own script looks for its node on the PATH.
        path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
        with step("fetching the devcontainer CLI"):
            quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--cache", BED / "npm")
            run(
                npm,
                "install",
                *quiet,
                "--prefix",
                folder,
                _PACKAGE,
                env={**os.environ, "PATH": path},
            )

    BED.mkdir(exist_ok=True)
    folder = once(BED / f"devcontainer-{_PACKAGE.rpartition('@')[2]}", install)
    script = folder / "node_modules/@devcontainers/cli/devcontainer.js"
    return write_script(BED / "devcontainer", f"exec {quote(str(node))} {quote(str(script))}")
