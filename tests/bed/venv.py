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

RIND = VENV / "bin" / "rind"
_LOCKS = ROOT / ".ci" / "lock"
_PIP = Pack("sid", ("python3-pip-whl",))  # the newest, which works with the newest Python
# Debian's git only recommends certificates, so a machine may lack them; pip looks for them there.
_CERTIFICATES = Pack("bookworm", ("ca-certificates",))
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_BUNDLE = BED / "certificates.pem"
_OURS = VENV / "made-by-the-bed"  # absent from an environment of the user's
_INSTALLED = BED / "installed"  # names the installed recipe


def make(extra: str) -> None:
    """Make it, with the project and an extra's locked packages, unless that was done before."""
    lock = _LOCKS / f"{extra}.txt"
    sources = (ROOT / "pyproject.toml", *sorted(_LOCKS.glob("*.txt")))
    recipe = digest(str(ROOT), sys.version, *(path.read_bytes() for path in sources))
    if _installed() in {f"{recipe} {extra}", f"{recipe} dev"}:
        return  # the extra dev includes the others
    wheels = None
    if importlib.util.find_spec("ensurepip") is None or not _SYSTEM_BUNDLE.exists():
        wheels = _PIP.ready() / "wheels"
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
            pip = (VENV / "bin" / "python", "-m", "pip", "install")
            packages = ("--require-hashes", "--requirement", lock)
            run(*pip, *packages, env=environment(), cwd=ROOT, line_seen=count)
            # A folder has no hash. The lock file includes its build backend.
            project = ("--no-deps", "--no-build-isolation", "--editable", ".")
            run(*pip, *project, env=environment(), cwd=ROOT)
        _INSTALLED.write_text(f"{recipe} {extra}")


def environment() -> dict[str, str]:
    """Return pip's variables: this process's; its cache is in a folder that `--down` removes."""
    temporary = BED / "pip" / "tmp"  # an interrupted pip leaves files there
    temporary.mkdir(parents=True, exist_ok=True)
    ours = {"PIP_CACHE_DIR": str(BED / "pip"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if _BUNDLE.exists():
        # With its newer handling of certificates, Debian's pip would still need the system's.
        ours |= {"PIP_CERT": str(_BUNDLE), "PIP_USE_DEPRECATED": "legacy-certs"}
    return {**ours, **os.environ, "TMPDIR": str(temporary)}


def discard() -> None:
    """Remove it, if the test bed made it."""
    if _OURS.exists():
        # Rename it first: a half-removed one might lack the mark.
        discarded = BED / "discarded"
        remove(discarded)
        VENV.rename(discarded)
        remove(discarded)


def _concatenate(certificates: Path, into: Path) -> None:
    into.write_text("".join(path.read_text() for path in sorted(certificates.iterdir())))


def _installed() -> str:
    return _INSTALLED.read_text() if _INSTALLED.exists() and RIND.exists() else ""


def _usable() -> bool:
    try:
        run(VENV / "bin" / "python", "-m", "pip", "--version")
    except (OSError, Trouble):
        return False
    return True


def _create(wheels: Path | None) -> None:
    if VENV.exists() and not _OURS.exists():
        raise Trouble(f"the pip of the virtual environment does not work: remove {VENV}")
    discard()
    VENV.mkdir()
    _OURS.touch()  # first, so that even an incomplete one has the mark
    run(sys.executable, "-m", "venv", *(["--without-pip"] if wheels else []), VENV)
    if wheels:
        wheel = next(wheels.glob("pip-*.whl"))
        # A wheel is a zip file, which Python can import from.
        pip = (VENV / "bin" / "python", wheel / "pip")
        run(*pip, "install", "--no-index", wheel, env=environment())
