"""The virtual environment `.venv`, with the project installed editable.

Debian's Python has no ensurepip unless python3-venv is installed; pip then comes from the wheel
that Debian ships for it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from bed.checkout import BED, ROOT, SHARED, VENV, digest, locked, once, remove
from bed.packages import Pack
from bed.say import Trouble, run, step

_PIP = Pack("sid", ("python3-pip-whl",))  # the newest, which works with the newest Python
# Only recommended by Debian's git, so a machine may have none; pip looks for them there.
_CERTIFICATES = Pack("bookworm", ("ca-certificates",))
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_BUNDLE = BED / "certificates.pem"
# Ours to remove, and what was installed in it; absent from one that the user made.
_STAMP = VENV / "made-by-the-bed"


def make(extra: str = "") -> None:
    """Make it, with the project and one of its extras, unless that was done before."""
    recipe = digest(str(ROOT), sys.version, (ROOT / "pyproject.toml").read_bytes())
    if _installed() in ({recipe, f"{recipe} dev"} if not extra else {f"{recipe} {extra}"}):
        return
    ensurepip = importlib.util.find_spec("ensurepip") is not None
    wheels = None if ensurepip else _PIP.ready() / "wheels"
    if not _SYSTEM_BUNDLE.exists():
        certificates = _CERTIFICATES.ready() / "certificates"
        once(_BUNDLE, lambda path: _concatenate(certificates, path))
    with locked(SHARED):
        if not _usable():
            with step("making .venv"):
                _create(wheels)
        collected = 0

        def count(line: str) -> None:
            nonlocal collected
            if line.startswith("Collecting "):
                collected += 1
                progress(f"package {collected}")

        with step("installing the project into .venv") as progress:
            run(
                *(VENV / "bin" / "python", "-m", "pip", "install", "--editable"),
                f".[{extra}]" if extra else ".",
                env=environment(),
                cwd=ROOT,
                line_seen=count,
            )
        if _STAMP.exists():
            _STAMP.write_text(f"{recipe} {extra}".strip())


def environment() -> dict[str, str]:
    """Give pip's environment: the machine's own, with pip's cache where `--down` removes it."""
    ours = {"PIP_CACHE_DIR": str(BED / "pip"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if _BUNDLE.exists():
        ours["PIP_CERT"] = str(_BUNDLE)
    return {**ours, **os.environ}


def discard() -> None:
    """Remove it, if it is the bed's."""
    if _STAMP.exists():
        remove(VENV)


def _concatenate(certificates: Path, into: Path) -> None:
    into.write_text("".join(path.read_text() for path in sorted(certificates.iterdir())))


def _installed() -> str:
    return _STAMP.read_text() if _STAMP.exists() else ""


def _usable() -> bool:
    try:
        run(VENV / "bin" / "python", "-m", "pip", "--version")
    except (OSError, Trouble):
        return False
    return True


def _create(wheels: Path | None) -> None:
    if VENV.exists() and not _STAMP.exists():
        raise Trouble(f"there is a virtual environment without a working pip: remove {VENV}")
    remove(VENV)
    VENV.mkdir()
    _STAMP.touch()  # first of all, so that it is known for ours even half-made
    run(sys.executable, "-m", "venv", *(["--without-pip"] if wheels else []), VENV)
    if wheels:
        wheel = next(wheels.glob("pip-*.whl"))
        # A wheel is a zip file, which Python can import from.
        pip = (VENV / "bin" / "python", wheel / "pip")
        run(*pip, "install", "--no-index", wheel, env=environment())
