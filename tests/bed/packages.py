"""Debian packages, fetched with apt's own configuration and unpacked, never installed.

apt gets its own state, so that the machine's lists stay unchanged, may be absent, and need not
name these suites. The mirror and the proxy come from the machine's own configuration.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from bed.checkout import BED, digest, once, remove
from bed.say import Trouble, run, step

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUITES = ("bookworm", "sid")
# A configured source counts as Debian's own if it names one of Debian's releases.
_RELEASES = {"bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_CONFIGURATION = """
Dir::Etc "{apt}/etc";
Dir::Etc::SourceList "{apt}/sources.list";
Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";
Dir::Etc::Netrc "/etc/apt/auth.conf";
Dir::Etc::NetrcParts "/etc/apt/auth.conf.d";
Dir::State "{apt}/state";
Dir::State::Status "{apt}/status";
Dir::Cache "{apt}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
// A mirror may be a snapshot, and a machine's clock wrong.
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
// Its unprivileged user could not write into a directory of root's.
APT::Sandbox::User "";
"""


def is_debian() -> bool:
    """Whether this machine has the programs that fetch and unpack packages."""
    return all(map(shutil.which, ("apt-get", "dpkg")))


def fetch(
    suite: str, names: tuple[str, ...], into: Path, *, dependencies: bool = False
) -> list[Path]:
    """Download packages of a suite, with their dependencies, into a new directory."""
    if not is_debian():
        raise Trouble("cannot fetch packages: apt-get or dpkg is missing")
    configuration = _updated()
    (into / "partial").mkdir(parents=True)
    command = ["apt-get", "download", "-q", *(f"{name}/{suite}" for name in names)]
    if dependencies:
        command = ["apt-get", "install", "--download-only", "--yes", "-q", "-t", suite, *names]
        command += ["--no-install-recommends", "-o", f"Dir::Cache::archives={into}"]
    fetched = 0

    def count(line: str) -> None:
        nonlocal fetched
        if line.startswith("Get:"):
            fetched += 1
            progress(f"{fetched}" if dependencies else f"{fetched} of {len(names)}")

    with step(f"fetching {_counted(names)} of Debian {suite}") as progress:
        run(
            *command,
            env={**os.environ, "APT_CONFIG": str(configuration)},
            cwd=into,
            line_seen=count,
        )
    return sorted(into.glob("*.deb"))


def members(package: Path) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo, IO[bytes] | None]]:
    """Return each file of a package: its path from the root, its header, its content if regular."""
    with subprocess.Popen(
        ["dpkg", "--fsys-tarfile", package], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as unpacking:
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as files:
            for member in files:
                content = files.extractfile(member) if member.isfile() else None
                yield PurePosixPath(member.name), member, content
        assert unpacking.stdout is not None
        unpacking.stdout.read()  # the padding; unread, it would end dpkg with a broken pipe
    if unpacking.returncode:
        raise Trouble(f"dpkg could not unpack {package.name}")


@dataclass(frozen=True)
class Pack:
    """The programs, plugins and libraries of some packages, unpacked side by side.

    Callers call `ready` before they use one.

    Attributes:
        whole: whether to unpack every file to its own path instead.
        dependencies: whether to include the dependencies, down to the C library.
    """

    suite: str
    packages: tuple[str, ...]
    whole: bool = False
    dependencies: bool = False

    @property
    def path(self) -> Path:
        """Its directory, with subdirectories by kind (see `_PLACES`) or as packaged."""
        return BED / "packs" / f"{self.suite}-{digest(self.suite, self.packages)}"

    def ready(self) -> Path:
        """Unpack it, unless that was done before."""
        return once(self.path, self._unpack)

    def _unpack(self, into: Path) -> None:
        folder = into / "packages"
        fetched = fetch(self.suite, self.packages, folder, dependencies=self.dependencies)
        with step(f"unpacking {_counted(self.packages)}") as progress:
            for number, package in enumerate(fetched, 1):
                progress(f"{number} of {len(fetched)}")
                (_unpack_whole if self.whole else _unpack)(package, into)
        remove(folder)


def _unpack(package: Path, into: Path) -> None:
    for path, member, content in members(package):
        place = "lib" if ".so" in path.suffixes else _PLACES.get(path.parent.name)
        if place is None or member.isdir():
            continue
        target = into / place / _RENAMED.get(path.name, path.name)
        if content is not None:
            _write(target, member, content)
        elif member.issym() and place == "lib":
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(PurePosixPath(member.linkname).name)


def _unpack_whole(package: Path, into: Path) -> None:
    for path, member, content in members(package):
        if content is not None:
            _write(into / path, member, content)
        elif member.issym():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).symlink_to(member.linkname)


def _write(target: Path, member: tarfile.TarInfo, content: IO[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(member.mode)


def _counted(packages: tuple[str, ...]) -> str:
    return packages[0] if len(packages) == 1 else f"{len(packages)} packages"


# The files to keep, by their directory; libraries are recognized by their names.
_PLACES = {
    "bin": "bin",
    "sbin": "bin",
    "cli-plugins": "cli-plugins",
    "python-wheels": "wheels",
    "mozilla": "certificates",
}
_RENAMED = {"tini-static": "docker-init"}  # the name that dockerd looks for


@cache
def _updated() -> Path:
    """Fetch the lists of packages, once a process; return apt's configuration file."""
    apt = BED / "apt"
    remove(apt)
    atexit.register(remove, apt)  # 180 MB of lists, which will be outdated next time
    for directory in ("etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache"):
        (apt / directory).mkdir(parents=True)
    (apt / "status").touch()
    signed = f"signed-by={_KEYRING} " if _KEYRING.exists() else ""
    mirror = _mirror()
    (apt / "sources.list").write_text(
        # Only the lists of packages, even if the machine's apt is configured to fetch more.
        "".join(f"deb [{signed}target=Packages] {mirror} {suite} main\n" for suite in _SUITES)
    )
    # The machine's settings for fetching apply (proxy, certificates), but not its hooks.
    fetching = [line for line in _asked("apt-config", "dump") if line.startswith("Acquire::")]
    configuration = apt / "apt.conf"
    configuration.write_text("\n".join(fetching) + _CONFIGURATION.format(apt=apt))
    with step("fetching Debian's lists of packages"):
        run(
            # Without --error-on, an unreachable mirror is only a warning.
            *("apt-get", "update", "-q", "--error-on=any"),
            env={**os.environ, "APT_CONFIG": str(configuration)},
        )
    return configuration


def _mirror() -> str:
    """Find the Debian mirror that this machine's own apt uses."""
    targets = _asked(
        *("apt-get", "indextargets", "--no-release-info"),  # a fresh machine has no release files
        *("--format", "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)"),
        *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),  # write nothing
    )
    found = [
        uri
        for kind, component, release, uri in map(str.split, targets)
        if (kind, component) == ("Packages", "main")
        if release in _RELEASES and not uri.startswith("cdrom:")
    ]
    if not found:
        raise Trouble("apt has no Debian mirror configured (apt-get indextargets shows none)")
    # Other vendors name Debian's releases too, but end their addresses otherwise.
    return max(found, key=lambda uri: uri.rstrip("/").endswith("/debian"))


def _asked(*argv: str) -> list[str]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except subprocess.CalledProcessError as exc:
        raise Trouble(f"{argv[0]} failed: {' '.join(exc.stderr.split())}") from None
