"""Build the self-contained rind for this machine's system: one file that needs no Python.

    python .ci/binary/build.py FILE

The file contains the Python that runs this script: any CPython from 3.11 on with aiodocker and
prompt_toolkit. Building needs gcc, with the C library and zlib for static linking (on Debian: gcc,
libc6-dev, zlib1g-dev). The file runs on the same kind of processor, and on any Linux from 3.2 on.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import os
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
START = """\
import sys
sys.path.append(sys.prefix + {packages!r})
sys.argv = sys.argv[1:]
from rind.cli.main import main
main()
"""
# Top-level names of modules that Rind does not need.
LEFT_OUT = {
    *(
        "__phello__",
        "__pycache__",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
    ),
    *("tkinter", "turtledemo", "venv", "dist-packages", "distutils", "sqlite3", "curses", "dbm"),
    *("unittest", "msilib", "wsgiref", "xmlrpc", "pydoc", "turtle", "doctest", "antigravity"),
}
LEFT_OUT_MODULES = re.compile(
    r"(_test|_xx|xx|_ctypes_test|_tkinter|_sqlite3|_curses|_dbm|_gdbm|readline|nis|ossaudiodev"
    r"|audioop|_codecs_|_crypt|spwd)"
)


def main() -> None:
    """Build the file that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 # itself and the file
        sys.exit(__doc__)
    file = Path(sys.argv[1])
    if why := lacking(file):
        sys.exit(f".ci/binary/build.py: {why}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        try:
            gather(tree)
            build(tree, Path(folder), file)
        except subprocess.CalledProcessError as exc:
            sys.exit(f".ci/binary/build.py: {exc.cmd[0]} failed: see its message above")


def lacking(file: Path) -> str:
    """Return a missing requirement and its remedy; empty if all are met."""
    if not is_installed("rind"):
        return (
            f"{sys.executable} has no Rind to build from: run this in an environment with Rind, "
            "as after: python3 -m venv v && v/bin/pip install ."
        )
    if missing := [program for program in ("gcc", "ldd", "strip") if not shutil.which(program)]:
        return (
            f"no {' and no '.join(missing)} here; on Debian: apt install gcc libc6-dev zlib1g-dev"
        )
    return "" if file.parent.is_dir() else f"there is no folder {file.parent} to write {file} into"


def gather(tree: Path) -> None:
    """Gather Python, its libraries, Rind with its packages, and the needed system libraries."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = tree / "lib" / name
    library.mkdir(parents=True)
    gather_python(name, tree, library)
    gather_packages(library / "site-packages")
    for path in shared_libraries([tree / "bin" / "python3", *library.rglob("*.so")]):
        shutil.copy2(path, tree / "lib" / ("ld.so" if path.name.startswith("ld-") else path.name))
    (tree / "start.py").write_text(START.format(packages=f"/lib/{name}/site-packages"))
    # Python loads a compiled file in place of its source without checking the source.
    compileall.compile_dir(tree, quiet=1, legacy=True, stripdir=str(tree), workers=0)
    for path in tree.rglob("*.py"):
        path.unlink()
    for path in [tree / "bin" / "python3", *tree.rglob("*.so*")]:
        subprocess.run(["strip", "--strip-unneeded", path], check=True)


def gather_python(name: str, tree: Path, library: Path) -> None:
    """Gather the interpreter and the standard library."""
    (tree / "bin").mkdir()
    shutil.copy2(Path(sysconfig.get_config_var("BINDIR"), name), tree / "bin" / "python3")
    for path in Path(sysconfig.get_path("stdlib")).iterdir():
        if path.stem not in LEFT_OUT and (path.is_dir() or path.suffix == ".py"):
            copy(path, library / path.name)
    for path in library.rglob("*.so"):
        if LEFT_OUT_MODULES.match(path.name):
            path.unlink()


def gather_packages(packages: Path) -> None:
    """Gather Rind, and the packages that it needs."""
    for package in needed("rind"):
        for file in importlib.metadata.files(package) or []:
            path = Path(str(file.locate()))
            if path.suffix in {".py", ".so"} or path.name == "METADATA":
                destination = packages / str(file)
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, destination)
    copy(ROOT / "rind", packages / "rind")


def copy(path: Path, destination: Path) -> None:
    """Copy a module, or a package with its extension modules."""
    if not path.is_dir():
        shutil.copy2(path, destination)
        return
    if path.name.startswith("config-"):
        return  # needed only to build Python

    def unwanted(_: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if name in {"__pycache__", "test", "tests"} or name.endswith(".a")
        }

    shutil.copytree(path, destination, ignore=unwanted)


def needed(package: str) -> set[str]:
    """Return the names of a package's dependencies, by its metadata; without itself."""
    found: set[str] = set()
    asked = [package]
    while asked:
        for requirement in importlib.metadata.requires(asked.pop()) or []:
            match = re.match(r"[\w.-]+", requirement)
            assert match
            name = match[0].lower()
            if name not in found and "extra ==" not in requirement and is_installed(name):
                found.add(name)
                asked.append(name)
    return found


def is_installed(package: str) -> bool:
    """Whether a package is installed; one that is not is for another Python or system."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def shared_libraries(programs: list[Path]) -> set[Path]:
    """Return the libraries that programs and modules load, and the dynamic loader."""
    found = set()
    for program in programs:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        found |= {Path(path) for path in re.findall(r"(/\S+) \(0x", listed.stdout)}
    return found


def build(tree: Path, folder: Path, file: Path) -> None:
    """Write the launcher, the archive and the trailer into one file."""
    archive = folder / "archive"
    with tarfile.open(archive, "w:gz", compresslevel=9, format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                tar.add(path, str(path.relative_to(tree)), filter=without_owner)
    content = archive.read_bytes()
    launcher = folder / "launcher"
    command = ["gcc", "-Os", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-o"]
    subprocess.run([*command, launcher, HERE / "launcher.c", "-lz"], check=True)
    version = importlib.metadata.version("rind")
    name = f"{version}-{hashlib.sha256(content).hexdigest()[:16]}"
    trailer = struct.pack("=Q48s8s", len(content), name.encode(), b"rindtail")
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(launcher.read_bytes() + content + trailer)
    partial.chmod(0o755)
    partial.replace(file)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the fields of a member that differ between builds."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    os.umask(0o022)
    main()
