"""Shells that the machine may lack, zsh and fish, and bash-completion, where they are unpacked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bed.checkout import BED, write_script
from bed.packages import Pack

if TYPE_CHECKING:
    from pathlib import Path

# Static, so that its modules are in it.
_ZSH = Pack("bookworm", ("zsh-static", "zsh-common"), whole=True)
_FISH = Pack(
    "bookworm",
    ("fish", "fish-common", "libgcc-s1", "libpcre2-32-0", "libstdc++6", "libtinfo6"),
    whole=True,
)
_BASH_COMPLETION = Pack("bookworm", ("bash-completion",), whole=True)


def bash_completion() -> Path:
    """Return the directory of bash-completion's files, bash_completion the first of them."""
    return _BASH_COMPLETION.ready() / "usr/share/bash-completion"


def zsh() -> Path:
    """Return a zsh that has its own functions, compinit among them."""
    root = _ZSH.ready()
    functions = {file.parent for file in (root / "usr/share/zsh/functions").rglob("*")}
    program = root / "bin/zsh-static"
    return _script("zsh", f"FPATH={_joined(functions)} exec {shlex.quote(str(program))}")


def fish() -> Path:
    """Return a fish that has its own functions, and keeps its libraries to itself."""
    root = _FISH.ready()
    # It takes its functions from beside itself if there is a place for configuration too.
    (root / "usr/etc/fish").mkdir(parents=True, exist_ok=True)
    libraries = {file.parent for file in root.rglob("*.so*")}
    program = shlex.quote(str(root / "usr/bin/fish"))
    forget = "--init-command 'set --erase LD_LIBRARY_PATH'"
    return _script("fish", f"LD_LIBRARY_PATH={_joined(libraries)} exec {program} {forget}")


def _joined(directories: set[Path]) -> str:
    return shlex.quote(":".join(sorted(map(str, directories))))


def _script(name: str, command: str) -> Path:
    return write_script(BED / "shells" / name, command)
