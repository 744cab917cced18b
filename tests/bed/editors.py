"""Editors of the newest Debian, run where they are unpacked, with their own C library."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from bed.checkout import BED, write_script
from bed.packages import Pack

if TYPE_CHECKING:
    from pathlib import Path


def neovim() -> Path:
    """Return a Neovim that finds its own runtime files."""
    root = _unpacked("neovim")
    return _script(root, "usr/bin/nvim", {"VIMRUNTIME": root / "usr/share/nvim/runtime"})


def helix() -> Path:
    """Return a Helix that finds its own runtime files."""
    root = _unpacked("hx")
    return _script(root, "usr/lib/hx/hx", {"HELIX_RUNTIME": root / "usr/lib/hx/runtime"})


def emacs() -> Path:
    """Return an Emacs that finds its own Lisp."""
    root = _unpacked("emacs-nox")
    (lisp,) = (root / "usr/share/emacs").glob("*/lisp")
    (dump,) = (root / "usr/libexec/emacs").glob("*/*/*.pdmp")
    variables = {"EMACSLOADPATH": lisp, "EMACSPATH": dump.parent}
    variables |= dict.fromkeys(("EMACSDATA", "EMACSDOC"), lisp.parent / "etc")
    return _script(root, "usr/bin/emacs-nox", variables, f"--dump-file={quote(str(dump))}")


def _unpacked(package: str) -> Path:
    return Pack("sid", (package,), whole=True, dependencies=True).ready()


def _script(root: Path, program: str, variables: dict[str, Path], *options: str) -> Path:
    """Write a program that runs an editor; the editor's children use the machine's libraries."""
    (loader,) = (root / "usr/lib").glob("*/ld-linux*.so.*")
    path = quote(str(root / program))
    command = [f"{name}={quote(str(value))}" for name, value in variables.items()]
    command += ["exec", quote(str(loader)), "--library-path", quote(str(loader.parent))]
    command += ["--argv0", path, path, *options]
    return write_script(BED / "editors" / (root / program).name, " ".join(command))
