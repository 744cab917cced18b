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
# Only recommended by Debian's git, so a machine may have none; pip looks for them there.
_CERTIFICATES = Pack("bookworm", ("ca-certificates",))
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_BUNDLE = BED / "certificates.pem"
_OURS = VENV / "made-by-the-bed"  # so ours to remove; not in one that the user made
_INSTALLED = BED / "installed"  # says what was installed in it


def make(extra: str) -> None:
    """Make it, with the project and one of its extras as locked, unless that was done before."""
    lock = _LOCKS / f"{extra}.txt"
    sources = (ROOT / "pyproject.toml", *sorted(_LOCKS.iterdir()))
    recipe = digest(str(ROOT), sys.version, *(path.read_bytes() for path in sources))
    if _installed() in {f"{recipe} {extra}", f"{recipe} dev"}:
        return  # the extra dev has all that there is
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
            # A folder has no hash. The lock file has its build backend too.
            project = ("--no-deps", "--no-build-isolation", "--editable", ".")
            run(*pip, *project, env=environment(), cwd=ROOT)
        _INSTALLED.write_text(f"{recipe} {extra}")


def environment() -> dict[str, str]:
    """Return pip's environment: the machine's own, but for what `--down` is to remove."""
    temporary = BED / "pip" / "tmp"  # where it leaves things when interrupted
    temporary.mkdir(parents=True, exist_ok=True)
    ours = {"PIP_CACHE_DIR": str(BED / "pip"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if _BUNDLE.exists():
        # By its newer way with certificates, Debian's pip would want the system's all the same.
        ours |= {"PIP_CERT": str(_BUNDLE), "PIP_USE_DEPRECATED": "legacy-certs"}
    return {**ours, **os.environ, "TMPDIR": str(temporary)}


def discard() -> None:
    """Remove it, if it is the bed's."""
    if _OURS.exists():
        # In one piece first: half-removed, it might not be known for ours any more.
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
        raise Trouble(f"there is a virtual environment without a working pip: remove {VENV}")
    discard()
    VENV.mkdir()
    _OURS.touch()  # first of all, so that it is known for ours even half-made
    run(sys.executable, "-m", "venv", *(["--without-pip"] if wheels else []), VENV)
    if wheels:
        wheel = next(wheels.glob("pip-*.whl"))
        # A wheel is a zip file, which Python can import from.
        pip = (VENV / "bin" / "python", wheel / "pip")
        run(*pip, "install", "--no-index", wheel, env=environment())
