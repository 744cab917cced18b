"""The images: root file systems composed as tar files, imported into an engine.

Composing a tar from the tars in the packages needs neither root nor chroot. One step must run
programs of the image: making the Django project. It runs in a container, whose file system is then
exported. The resulting file, made once, is loaded into every engine.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from bed import packages, venv
from bed.checkout import BED, ROOT, VENV, digest, once, remove
from bed.say import run, step

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from bed.engines import Docker

# In the name of every image, so that an image of another recipe is not used.
_TAG = digest(Path(__file__).read_bytes())
_PREFIX = "rind-test/"
# Marks the images that this process and its forks made in an engine.
_OWN_TAG = f"{_TAG}-{digest(str(ROOT), os.getpid())}"
_BASE = f"{_PREFIX}base:{_OWN_TAG}"

_DJANGO_PACKAGES = (
    *("base-files", "bash", "coreutils", "dash", "debianutils", "findutils", "grep", "less"),
    *("libc-bin", "ncurses-base", "procps", "sed", "util-linux", "vim-common", "vim-tiny"),
    *("python3-minimal", "python3.11", "python3.11-minimal", "media-types", "tzdata"),
    # libraries of these packages
    *("libpython3.11-minimal", "libpython3.11-stdlib", "libacl1", "libattr1", "libblkid1"),
    *("libbz2-1.0", "libc6", "libcap-ng0", "libcap2", "libcrypt1", "libexpat1", "libffi8"),
    *("libgcc-s1", "libgcrypt20", "libgmp10", "libgpg-error0", "liblz4-1", "liblzma5"),
    *("libmount1", "libncursesw6", "libnsl2", "libpcre2-8-0", "libproc2-0", "libreadline8"),
    *("libselinux1", "libsmartcols1", "libsqlite3-0", "libssl3", "libsystemd0", "libtinfo6"),
    *("libtirpc3", "libudev1", "libuuid1", "libzstd1", "readline-common", "zlib1g"),
)
_SITE_PACKAGES = "venv/lib/python3.11/site-packages"
# The migration compiles modules, so that later commands start three times as fast.
_DJANGO_PROJECT = """
set -e
python3 -m venv --without-pip /venv
cd /app
/venv/bin/python -m django startproject mysite .
/venv/bin/python manage.py migrate
rm db.sqlite3
chmod +x manage.py
printf '#!/venv/bin/python3\\nfrom pylsp.__main__ import main\\nmain()\\n' >/venv/bin/pylsp
chmod +x /venv/bin/pylsp
chown -R app:app /app
"""

_DIRECTORIES = {"dev": 0o755, "proc": 0o555, "root": 0o700, "sys": 0o555, "tmp": 0o1777}
# Loading an image takes an engine a millisecond for each file, and most files are not needed.
_LEFT_OUT = tuple(
    f"usr/share/{directory}/"
    for directory in ("doc", "locale", "man", "zoneinfo/posix", "zoneinfo/right")
)
_TRANSLATION = re.compile(r"/locale/(?!en/)[^/.]+/")
_USERS = "root:x:0:0:root:/root:{shell}\napp:x:1000:1000:app:{home}:{shell}\n"
_GROUPS = "root:x:0:\napp:x:1000:\n"
# As a virtual environment's script, for a shell without Python.
_ACTIVATE = "VIRTUAL_ENV=/venv; export VIRTUAL_ENV; PATH=/venv/bin:$PATH; export PATH\n"


class RootFileSystem:
    """A root file system that is written as a tar file; root owns every file."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", dereference=False)  # noqa: SIM115 - closed by __exit__
        self._links: dict[str, str] = {}
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def directory(self, path: str, mode: int = 0o755) -> None:
        """Add a directory."""
        self._add(path, tarfile.DIRTYPE, mode=mode)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link; files added later to a path through it go to its target."""
        self._add(path, tarfile.SYMTYPE, linkname=target)
        self._links[path] = target

    def file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        """Add a file."""
        data = content.encode() if isinstance(content, str) else content
        self._add(path, tarfile.REGTYPE, io.BytesIO(data), size=len(data), mode=mode)

    def package(self, package: Path) -> None:
        """Add a package's files, except documentation and translations."""
        for path, member, content in packages.members(package):
            name = self._through_links(str(path))
            target = member.linkname
            if member.islnk():  # its target is a path from the root
                target = self._through_links(target)
            if name != "." and not name.startswith(_LEFT_OUT):
                size, mode = member.size, member.mode
                self._add(name, member.type, content, size=size, mode=mode, linkname=target)

    def tree(self, source: Path, path: str) -> None:
        """Add a local directory and its contents, except translations."""
        self._tar.add(source, path, filter=_kept)

    def _add(
        self, path: str, kind: bytes, content: IO[bytes] | None = None, **header: int | str
    ) -> None:
        if kind == tarfile.DIRTYPE and path in self._written | self._links.keys():
            return
        self._written.add(path)
        entry = tarfile.TarInfo(path)
        entry.type = kind
        for name, value in header.items():
            setattr(entry, name, value)
        self._tar.addfile(entry, content)

    def _through_links(self, path: str) -> str:
        """Write `bin/sh` as `usr/bin/sh` where `bin` is a link: Debian's packages mix both."""
        parts = PurePosixPath(path).parts
        if len(parts) > 1 and parts[0] in self._links:
            return str(PurePosixPath(self._links[parts[0]], *parts[1:]))
        return str(PurePosixPath(path))


@dataclass(frozen=True)
class Image:
    """The recipe of an image."""

    name: str
    compose: Callable[[RootFileSystem], None]
    changes: tuple[str, ...] = ('CMD ["sleep", "infinity"]',)
    # A shell script to run in the composed image.
    finish: str = ""

    @property
    def reference(self) -> str:
        """Its name and tag in a private engine."""
        return f"{_PREFIX}{self.name}:{_TAG}"

    def load(self, docker: Docker, *, borrowed: bool = False) -> str:
        """Load the image into an engine, unless it is there; return its name and tag.

        Args:
            docker: the engine.
            borrowed: whether the engine is the user's; an image made there has a name that only
                this process uses, for `discard_own` to remove.
        """
        if docker.succeeds("image", "inspect", self.reference):
            return self.reference
        reference = f"{_PREFIX}{self.name}:{_OWN_TAG}" if borrowed else self.reference
        path = BED / "images" / f"{self.name}-{_TAG}.tar"
        once(path, lambda partial: self._make(docker, partial))
        with step(f"loading the image {self.name}"):
            changes = [word for change in self.changes for word in ("--change", change)]
            docker("import", *changes, path, reference)
        return reference

    def _make(self, docker: Docker, path: Path) -> None:
        with RootFileSystem(path) as root:
            for directory, mode in _DIRECTORIES.items():
                root.directory(directory, mode)
            self.compose(root)
        if self.finish:
            with step(f"finishing the image {self.name} in a container"):
                _finish(docker, path, self.finish)


def discard_outdated(docker: Docker) -> None:
    """Remove the images that earlier or interrupted recipes left in a private engine."""
    current = [image.reference for image in IMAGES.values()]
    if outdated := [name for name in _present(docker) if name not in current]:
        docker("image", "rm", "--force", *outdated)


def discard_own(docker: Docker) -> None:
    """Remove the images that this process made in a borrowed engine, and their containers."""
    for name in _present(docker):
        if name.endswith(f":{_OWN_TAG}"):
            if left := docker("ps", "--all", "--quiet", "--filter", f"ancestor={name}").split():
                docker("rm", "--force", "--volumes", *left)
            docker("image", "rm", name)


def _present(docker: Docker) -> list[str]:
    names = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return [name for name in names if name.startswith(_PREFIX)]


def _finish(docker: Docker, path: Path, script: str) -> None:
    """Run a script in a container of a root file system, and write back the result."""
    docker("import", path, _BASE)
    container = ""
    try:
        container = docker("create", "--network", "none", _BASE, "/bin/sh", "-c", script)
        docker("start", "--attach", container)
        docker("export", "--output", path, container)
    finally:
        if container:
            docker("rm", "--force", container)
        docker("image", "rm", _BASE)


def _compose_django(root: RootFileSystem) -> None:
    fetched = BED / "fetched"
    remove(fetched)
    debs = packages.fetch("bookworm", _DJANGO_PACKAGES, fetched / "packages")
    with step("fetching Django"):
        run(
            *(VENV / "bin" / "python", "-m", "pip", "install", "--no-compile", "--target"),
            *(fetched / "django", "--python-version", "3.11", "--implementation", "cp"),
            *("--only-binary", ":all:", "django>=5.2,<5.3", "python-lsp-server>=1.12,<2"),
            env=venv.environment(),
        )
    with step("composing the image django"):
        for directory in ("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "run", "var"):
            root.directory(directory)
        root.directory("var/tmp", 0o1777)
        for directory in ("bin", "sbin", "lib", "lib64"):
            root.link(directory, f"usr/{directory}")
        for deb in debs:
            root.package(deb)
        root.link("usr/bin/vi", "vim.tiny")
        root.file("etc/passwd", _USERS.format(shell="/bin/bash", home="/app"))
        root.file("etc/group", _GROUPS)
        root.directory("app")
        root.tree(fetched / "django", _SITE_PACKAGES)
    remove(fetched)


def _compose_busybox(root: RootFileSystem) -> None:
    program = busybox()
    root.directory("bin")
    root.file("bin/busybox", program.read_bytes(), 0o755)
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    for applet in listed.stdout.split():
        if applet != "busybox":
            root.link(f"bin/{applet}", "busybox")
    root.file("etc/passwd", _USERS.format(shell="/bin/sh", home="/tmp"))
    root.file("etc/group", _GROUPS)
    root.file("venv/bin/activate", _ACTIVATE)


def _compose_distroless(root: RootFileSystem) -> None:
    # Busybox runs the applet of its name; these names are not a shell's.
    root.file("bin/sleep", busybox().read_bytes(), 0o755)
    for name in ("cat", "echo", "env", "true"):
        root.link(f"bin/{name}", "sleep")
    root.file("etc/passwd", _USERS.format(shell="/bin/false", home="/tmp"))
    root.file("etc/group", _GROUPS)


def busybox() -> Path:
    """Return the busybox program, of which the image of this name is made."""
    return packages.Pack("bookworm", ("busybox-static",)).ready() / "bin" / "busybox"


DJANGO = Image(
    "django",
    _compose_django,
    ('CMD ["sleep", "infinity"]', "ENV LANG=C.UTF-8", "WORKDIR /app"),
    _DJANGO_PROJECT,
)
IMAGES = {
    image.name: image
    for image in (
        DJANGO,
        Image("busybox", _compose_busybox),
        Image("distroless", _compose_distroless),
    )
}


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if _TRANSLATION.search(f"{member.name}/"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
