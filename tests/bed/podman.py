"""Private Podman engines, started and ended. They share nothing with the user's Podman.

Each has its own mount, process and network namespaces: ending its first process ends all others.
Its storage is in its run-time folder, and is removed with it.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bed.checkout import NAME, remove
from bed.engines import why_not_up
from bed.packages import Pack
from bed.say import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARED = (
    *("conmon", "libaudit1", "libcap-ng0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1"),
    *("liblzma5", "libpcre2-8-0", "libseccomp2", "libselinux1", "libsemanage2", "libsystemd0"),
    *("libzstd1", "podman"),
)
_PACKS = {
    "bookworm": Pack(
        "bookworm",
        (
            *_SHARED,
            *("libassuan0", "libdevmapper1.02.1", "libglib2.0-0", "libgpgme11", "libsubid4"),
            *("libudev1", "libyajl2"),
        ),
    ),
    "sid": Pack(
        "sid",
        (
            *_SHARED,
            *("libassuan9", "libatomic1", "libblkid1", "libffi8", "libglib2.0-0t64", "libgpgme45"),
            *("libmount1", "libsqlite3-0", "libsubid6", "zlib1g"),
        ),
    ),
}
# The newest Podman may need a newer libc than the machine's, which it gets by an overlay.
_LIBC = Pack("sid", ("libc6",), whole=True)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_RUNTIME = Pack("bookworm", ("runc", "libseccomp2", "tini"))

_STOP_LIMIT = 60  # seconds
_NOBODY = 65532  # a uid without an account

_CONFIGURATION = """\
[containers]
netns = "none"
cgroups = "enabled"
default_ulimits = [{limits}]
init_path = "{init}"
[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["{conmon}"]
events_logger = "file"
# Seconds that an ended exec's processes stay.
exit_command_delay = 10
helper_binaries_dir = ["{folder}/helpers"]
init_path = "{init}"
runtime = "runc"
[engine.runtimes]
runc = ["{runc}"]
"""
_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/root"
runroot = "{folder}/runroot"
[storage.options]
ignore_chown_errors = "true"
"""


@dataclass(frozen=True)
class Podman:
    """A private Podman of this checkout."""

    name: str
    suite: str
    rootless: bool = False

    @property
    def run_time(self) -> Path:
        """Contains everything that it writes; a short path, because it contains sockets."""
        return Path(f"/tmp/{NAME}-{self.name}")

    @property
    def socket(self) -> Path:
        """The path of its socket."""
        return self.run_time / "podman.sock"

    @property
    def host(self) -> str:
        """The URL of its socket, as in DOCKER_HOST."""
        return f"unix://{self.socket}"

    def prepare(self) -> None:
        """Fetch its programs, unless that was done before."""
        for pack in (_PACKS[self.suite], _RUNTIME, *([_LIBC] if self.suite == "sid" else [])):
            pack.ready()

    def start(self, *, tied: bool = False) -> None:
        """Start it and wait until it answers; `prepare` comes first.

        Args:
            tied: whether it gets a signal to end when this process ends.
        """
        self.stop()
        self._write_files()
        log = self.run_time / "log"
        with log.open("wb") as output:
            service = subprocess.Popen(
                self._command(tied=tied),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.run_time,  # conmon writes a file there when a container runs out of memory
            )
        if why := why_not_up(service, self.socket, log, self.name):
            self.stop()
            raise Trouble(why)

    def stop(self) -> None:
        """End it and its containers, and remove its files. Idempotent."""
        deadline = time.monotonic() + _STOP_LIMIT
        while pids := list(self._processes()):
            if time.monotonic() > deadline:
                raise Trouble(f"processes of {self.name} do not end: {pids}")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            time.sleep(0.05)
        for parent in Path("/sys/fs/cgroup").glob("**/libpod_parent"):
            for folder, _, _ in os.walk(parent, topdown=False):
                with suppress(OSError):  # another engine still uses it
                    Path(folder).rmdir()
        remove(self.run_time)

    def _write_files(self) -> None:
        folder, runtime = self.run_time, _RUNTIME.path
        folder.mkdir(mode=0o755)
        pack = _PACKS[self.suite].path
        # Without privileges, it cannot set a limit above its own.
        limits = "" if self.rootless else '"nofile=16384:16384", "nproc=32768:32768"'
        (folder / "containers.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                limits=limits,
                init=runtime / "bin" / "docker-init",
                conmon=pack / "bin" / "conmon",
                runc=runtime / "bin" / "runc",
            )
        )
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        (folder / "registries.conf").touch()
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        (folder / "helpers").mkdir()
        (folder / "helpers" / "netavark").symlink_to("/bin/true")  # no container has a network
        (folder / "home").mkdir()
        users = f"root:x:0:0::/root:/bin/sh\nme:x:{_NOBODY}:{_NOBODY}::{folder}/home:/bin/sh\n"
        (folder / "passwd").write_text(users)
        if self.rootless:
            for path in (folder, *folder.iterdir()):
                os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)

    def _command(self, *, tied: bool) -> list[str]:
        folder, pack = self.run_time, _PACKS[self.suite].path
        mounts = [
            f"mount --bind {folder}/passwd /etc/passwd",
            "mkdir -p /etc/containers",
            "mount -t tmpfs tmpfs /etc/containers",
            f"cp {folder}/policy.json {folder}/registries.conf /etc/containers",
        ]
        if self.suite == "sid":
            ours, theirs = _LIBC.path / _LIBRARIES, f"/{_LIBRARIES}"
            mounts += [f"mount -t overlay overlay -o lowerdir={ours}:{theirs} {theirs}"]
        path = os.pathsep.join([f"{pack}/bin", f"{_RUNTIME.path}/bin", os.defpath])
        user = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
        return [
            *(("setpriv", "--pdeathsig", "KILL") if tied else ()),
            *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh"),
            *(user if self.rootless else ()),
            *("env", "--ignore-environment", f"PATH={path}", f"HOME={folder}/home"),
            *(f"XDG_RUNTIME_DIR={folder}/home", f"LD_LIBRARY_PATH={pack}/lib"),
            *(f"CONTAINERS_CONF={folder}/containers.conf", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"),
            *(f"CONTAINERS_STORAGE_CONF={folder}/storage.conf", "podman"),
            *(() if self.rootless else ("--tmpdir", f"{folder}/tmp")),
            *("system", "service", "--time=0", self.host),
        ]

    def _processes(self) -> Iterator[int]:
        """Return its processes: those whose command line has its folder."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if os.fsencode(f"{self.run_time}/") in (entry / "cmdline").read_bytes():
                        yield int(entry.name)


PODMANS = [
    Podman("podman-4", "bookworm"),
    Podman("podman-5", "sid"),
    Podman("podman-rootless", "bookworm", rootless=True),
]
