"""Docker engines: private ones, started and ended, and an existing one, borrowed.

A private engine leaves nothing on the machine, and does not depend on installed packages:

- Its mounts are in a mount namespace of its own, its bridges and its `ip_forward` in a network
  namespace: they end with the last process. Process numbers are the machine's, since rind may
  signal by them.
- Its cgroups are under a parent of its own, with the cgroupfs driver even beside systemd: they are
  removed by name.
- dockerd, containerd and runc bring a library path with the few libraries that a minimal Debian
  lacks. Containers don't inherit it.
- containerd always creates /run/containerd and /opt/containerd: these are on a private tmpfs.

`Engine.stop` cleans up after any end of an engine: it finds the engine's processes by their
program, and the containers' by their cgroup, and trusts no file of process numbers.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bed.checkout import BED, NAME, ROOT, remove
from bed.packages import Pack, is_debian
from bed.say import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The oldest suite's libraries and runc work with its libc and any newer one.
_RUNTIME = Pack(
    "bookworm",
    (
        "runc",
        *("libcap2", "libdevmapper1.02.1", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5"),
        *("libpcre2-8-0", "libseccomp2", "libselinux1", "libsystemd0", "libudev1", "libzstd1"),
    ),
)
_CLIENT = Pack("sid", ("docker-cli",))
_BUSYBOX = Pack("bookworm", ("busybox-static",))
_COMPOSE = Pack("sid", ("docker-compose",))
DAEMONS = {
    "bookworm": Pack("bookworm", ("docker.io", "containerd", "tini")),  # 20.10
    "sid": Pack("sid", ("docker.io", "containerd", "tini-static")),  # 28.5
}

# Seconds. dockerd is ready in 0.1 to 1.1; a slow machine's first start takes longer. At SIGTERM, it
# gives running containers 10.
_START_LIMIT = 60
_STOP_LIMIT = 20

# The engine's /opt and /run, see above. A checkout inside them must stay visible.
_PRIVATE = "".join(
    f"mount -t tmpfs tmpfs {directory}; "
    for directory in ("/opt", "/run")
    if not ROOT.is_relative_to(directory)
)
_daemons: list[subprocess.Popen[bytes]] = []
"""The started daemons: Python warns if one outlives its Popen object."""

_CGROUPS = Path("/sys/fs/cgroup")


class Docker:
    """The docker command line, pointed at one engine and at no configuration of the user's."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.program = client()
        self.environment = {
            **environment(),
            "DOCKER_HOST": host,
            "DOCKER_CONFIG": str(configuration()),
        }

    def __call__(self, *words: str | os.PathLike[str]) -> str:
        """Run a docker command; return its output. Raise Trouble if it fails."""
        try:
            return self._run(*words)
        except subprocess.CalledProcessError as exc:
            said = " ".join(str(exc.stderr).split())
            raise Trouble(f"docker {words[0]} failed on {self.host}: {said}") from None

    def succeeds(self, *words: str) -> bool:
        """Run a docker command; return whether it succeeded."""
        try:
            self._run(*words)
        except subprocess.CalledProcessError:
            return False
        return True

    def _run(self, *words: str | os.PathLike[str]) -> str:
        return subprocess.run(
            [self.program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            env=self.environment,
        ).stdout.strip()


def environment() -> dict[str, str]:
    """Return this process's environment without the variables that name an engine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}


def client() -> Path:
    """Return the docker program: Debian's, or on another system the installed one."""
    if is_debian():
        return _CLIENT.ready() / "bin" / "docker"
    if own := shutil.which("docker"):
        return Path(own)
    raise Trouble("no docker program is installed, and apt-get or dpkg is missing to fetch it")


def configuration(*, compose: bool = False) -> Path:
    """Return a configuration directory for the docker command line, with Compose if wanted."""
    directory = BED / "docker"
    plugins = directory / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    if compose and is_debian():
        link = plugins / "docker-compose"
        link.unlink(missing_ok=True)
        link.symlink_to(_COMPOSE.ready() / "cli-plugins" / "docker-compose")
    return directory


@dataclass(frozen=True)
class Engine:
    """A private engine of this checkout."""

    name: str
    suite: str
    certificates: Path | None = None
    """A folder with certificates (see `certificates.py`), to listen for TLS too."""
    network: Path | None = None
    """The network namespace that it enters, instead of a new one."""
    host_name: str = ""
    """The host name, instead of the machine's."""

    @property
    def data(self) -> Path:
        """Images and containers; outlasts the engine."""
        return BED / "data" / self.name

    @property
    def run_time(self) -> Path:
        """Sockets and state; goes with the engine."""
        return Path("/tmp", f"{NAME}-{self.name}")

    @property
    def socket(self) -> Path:
        """The path of its socket."""
        return self.run_time / "docker.sock"

    @property
    def host(self) -> str:
        """The URL of its socket, as in DOCKER_HOST."""
        return f"unix://{self.socket}"

    def prepare(self) -> None:
        """Fetch its programs, unless that was done before."""
        for pack in (DAEMONS[self.suite], _RUNTIME, _CLIENT, _BUSYBOX):
            pack.ready()

    def start(self, *, tied: bool = False) -> None:
        """Start it and wait until it answers; `prepare` comes first.

        It first cleans up after an earlier engine that was killed.

        Args:
            tied: whether it gets a signal to end when this process ends.
        """
        self.stop()
        self.run_time.mkdir(mode=0o700)
        self.data.mkdir(parents=True, exist_ok=True)
        # Instead of the user's file. 20.10 would keep its identity in /etc/docker; newer ones keep
        # it in their data, and accept the option.
        options = {"deprecated-key-path": str(self.data / "key.json")}
        self._configuration.write_text(json.dumps(options))
        log = self.run_time / "log"
        with log.open("wb") as output, ExitStack() as stack:
            listeners = [stack.enter_context(self._listener())] if self.certificates else []
            daemon = subprocess.Popen(
                self._command(listeners, tied=tied),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=listeners,
            )
        _daemons.append(daemon)
        if why := why_not_up(daemon, self.socket, log, self.name):
            self.stop()
            raise Trouble(why)

    @property
    def _configuration(self) -> Path:
        return self.run_time / "daemon.json"

    def tls(self) -> dict[str, str] | None:
        """Return its URL for TLS, as in DOCKER_HOST, and the folder of certificates."""
        if self.certificates is None:
            return None
        return {"host": (self.run_time / "tls").read_text(), "files": str(self.certificates)}

    @contextmanager
    def _listener(self) -> Iterator[int]:
        """Open a TCP socket for it, outside of its network; return a descriptor of one digit."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            (self.run_time / "tls").write_text(
                "tcp://127.0.0.1:{1}".format(*listener.getsockname())
            )
            descriptor = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 3)
        assert descriptor < 10, "a shell could not name it"
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _command(self, listeners: Sequence[int], *, tied: bool) -> list[str]:
        # As systemd passes sockets (sd_listen_fds(3)), except for the namespaces.
        handed = "".join(
            f"exec 3<&{number}; export LISTEN_FDS=1 LISTEN_PID=$$; " for number in listeners
        )
        encrypted = (
            "--tlsverify",
            *(
                f"--tlscacert={self.certificates}/ca.pem",
                f"--tlscert={self.certificates}/server.pem",
            ),
            *(f"--tlskey={self.certificates}/server-key.pem", "--host=fd://"),
        )
        up = f"{shlex.quote(str(_BUSYBOX.path / 'bin/busybox'))} ip link set lo up; "
        if self.host_name:
            up += f"echo {self.host_name} >/proc/sys/kernel/hostname; "
        programs = [str(pack.path / "bin") for pack in (DAEMONS[self.suite], _RUNTIME)]
        path = os.pathsep.join([*programs, os.environ.get("PATH", os.defpath)])
        return [
            # The containers would inherit an ignored signal.
            *("env", "--default-signal"),
            *(("setpriv", "--pdeathsig", "TERM") if tied else ()),
            *(("nsenter", f"--net={self.network}") if self.network else ("unshare", "--net")),
            *("unshare", "--mount", *(["--uts"] if self.host_name else [])),
            *("sh", "-c", f'{_PRIVATE}{handed}{up}exec "$@"', "sh"),
            *("env", f"PATH={path}", f"LD_LIBRARY_PATH={_RUNTIME.path / 'lib'}"),
            *(f"TMPDIR={self.run_time}", "dockerd"),
            *(f"--config-file={self._configuration}", f"--pidfile={self.run_time / 'pid'}"),
            *(f"--data-root={self.data}", f"--exec-root={self.run_time / 'exec'}"),
            *(f"--host={self.host}", "--bridge=none", "--iptables=false", "--ip6tables=false"),
            *(encrypted if listeners else ()),
            *("--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{self.run_time.name}"),
        ]

    def stop(self) -> None:
        """End it and its containers, and remove all but its data; idempotent."""
        if answers(self.socket, "/_ping"):
            with suppress(Trouble):  # the rest is done below
                self.clear()
        self._end_processes()
        for parent in self._cgroups():
            for directory, _, _ in os.walk(parent, topdown=False):
                _remove_cgroup(Path(directory))
        remove(self.run_time)

    def kill(self) -> None:
        """End it and its containers at once, as a power failure would."""
        while ours := [pid for pid, _ in self._processes()]:
            for pid in ours:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def clear(self) -> None:
        """Remove all its containers, networks and volumes, but no image."""
        docker = Docker(self.host)
        if containers := docker("ps", "--all", "--quiet").split():
            docker("rm", "--force", "--volumes", *containers)
        docker("network", "prune", "--force")
        docker("volume", "prune", "--force")

    def network_namespace(self) -> Path:
        """Return its network namespace, while it runs."""
        pid = (self.run_time / "pid").read_text().strip()
        return Path("/proc", pid, "ns", "net")

    def _end_processes(self) -> None:
        began = time.monotonic()
        told: set[int] = set()
        while ours := dict(self._processes()):
            late = time.monotonic() - began > _STOP_LIMIT
            if time.monotonic() - began > 2 * _STOP_LIMIT:
                raise Trouble(f"processes of an engine do not end: {sorted(ours)}")
            # At SIGTERM, dockerd ends the others; without dockerd, they get SIGKILL.
            orderly = "dockerd" in ours.values() and not late
            for pid, program in ours.items():
                with suppress(ProcessLookupError):
                    if not orderly:
                        os.kill(pid, signal.SIGKILL)
                    elif program == "dockerd" and pid not in told:
                        told.add(pid)
                        os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the program's name of every process of this engine."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    program = (entry / "exe").readlink()
                    words = (entry / "cmdline").read_bytes()
                    if program.is_relative_to(BED) and os.fsencode(f"{self.run_time}/") in words:
                        yield int(entry.name), program.name.removesuffix(" (deleted)")
        for parent in self._cgroups():
            for members in parent.rglob("cgroup.procs"):
                with suppress(OSError):
                    for pid in members.read_text().split():
                        yield int(pid), "container"

    def _cgroups(self) -> list[Path]:
        """Return the parents of its cgroups: one, or one in each hierarchy with cgroup v1."""
        name = self.run_time.name
        return [path for path in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")) if path.is_dir()]


def why_not_up(daemon: subprocess.Popen[bytes], path: Path, log: Path, name: str) -> str:
    """Wait until a daemon answers at a socket; return the reason if it does not, else nothing.

    On failure, its log is kept. It polls: a daemon that begins to listen causes no event.
    """
    deadline = time.monotonic() + _START_LIMIT
    while not answers(path, "/_ping"):
        if daemon.poll() is not None or time.monotonic() > deadline:
            kept = BED / "log" / f"{name}.log"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept)
            last = kept.read_text(errors="replace").strip().splitlines()[-1:]
            return f"{name} did not start: {''.join(last)} (all of it is in {kept})"
        time.sleep(0.02)
    return ""


def answers(path: Path, request: str, expected: bytes = b" 200 ") -> bool:
    """Whether the engine at a socket answers a GET request with the expected bytes.

    Without http.client: the demo calls this each time, and that import would take 25 ms.
    """
    answer = b""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(f"GET {request} HTTP/1.0\r\n\r\n".encode())
        while chunk := connection.recv(65536):
            answer += chunk
    return expected in answer


def _remove_cgroup(directory: Path) -> None:
    """Remove a cgroup. The kernel refuses that for a moment after its last process has ended."""
    for _ in range(50):
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
