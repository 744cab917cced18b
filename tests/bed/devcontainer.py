"""The devcontainer CLI from npm, run by the virtual environment's Node."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from bed.checkout import BED, VENV, once, write_script
from bed.say import run, step

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGE = "@devcontainers/cli@0.89.0"


def devcontainer() -> Path:
    """Return the program's path."""
    node, npm = VENV / "bin" / "node", VENV / "bin" / "npm"

    def install(folder: Path) -> None:
        folder.mkdir()
        # npm's script runs the node on the PATH, which has its own certificates.
        path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
        environ = {"NODE_EXTRA_CA_CERTS": str(_CERTIFICATES), **os.environ, "PATH": path}
        with step("fetching the devcontainer CLI"):
            quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--cache", BED / "npm")
            run(npm, "install", *quiet, "--prefix", folder, _PACKAGE, env=environ)

    BED.mkdir(exist_ok=True)
    folder = once(BED / f"devcontainer-{_PACKAGE.rpartition('@')[2]}", install)
    script = folder / "node_modules/@devcontainers/cli/devcontainer.js"
    return write_script(BED / "devcontainer", f"exec {quote(str(node))} {quote(str(script))}")
