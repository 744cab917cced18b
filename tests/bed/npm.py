"""Packages of npm that .ci/lock pins, for the virtual environment's Node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from shlex import quote

from bed.checkout import BED, ROOT, VENV, digest, once, write_script
from bed.say import run, step

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LOCK = [ROOT / ".ci" / "lock" / name for name in ("package.json", "package-lock.json")]


def modules() -> Path:
    """Return the folder of the packages, for Node's NODE_PATH."""
    recipe = digest(*(path.read_bytes() for path in _LOCK))
    return once(BED / f"npm-{recipe}", _install) / "node_modules"


def devcontainer() -> Path:
    """Return the devcontainer CLI's path."""
    node, script = VENV / "bin" / "node", modules() / "@devcontainers/cli/devcontainer.js"
    return write_script(BED / "devcontainer", f"exec {quote(str(node))} {quote(str(script))}")


def _install(folder: Path) -> None:
    folder.mkdir()
    for file in _LOCK:
        shutil.copy(file, folder)
    # npm's script runs the node on the PATH, which has its own certificates.
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    environ = {"NODE_EXTRA_CA_CERTS": str(_CERTIFICATES), **os.environ, "PATH": path}
    with step("fetching packages of npm"):
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--cache", BED / "npm")
        run(VENV / "bin" / "npm", "ci", *quiet, "--prefix", folder, env=environ)
