"""A real ssh server on this machine, with its own keys, configuration and known hosts."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = Path(os.environ.get("RIND_TEST_SSH", ""))

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
{more}
"""

_CLIENT = """\
Host there
    HostName 127.0.0.1
    User root
    Port {port}
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
"""

_RUN = 'mount -t tmpfs tmpfs /run; mkdir -m 755 /run/sshd; exec "$@"'
# A namespace: no process outlives the server, and it sees an additional user that sshd needs.
_ALONE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"),
    "mount --bind {folder}/passwd /etc/passwd; mount --bind {folder}/shadow /etc/shadow; " + _RUN,
    "sh",
)


class SshServer:
    """A running server.

    Attributes:
        folder: contains the server's files, and the client's: key, known_hosts, config.
        environ: a client's variables; the ssh on its `PATH` uses the client's configuration.
        url: the URL of a socket behind the server, without the path.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"ssh://root@127.0.0.1:{port}"
        self.environ = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        self._port = port

    def over(self, host: str) -> str:
        """Return the URL, by ssh, of a socket whose address is written as in DOCKER_HOST."""
        return self.url + host.removeprefix("unix://")

    def clients(self) -> list[int]:
        """Return the process numbers of this server's ssh clients."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                if os.fsencode(f"{self.folder}/config") in words:
                    found.append(int(entry.name))
        return found

    def cut(self) -> None:
        """End every connection, as a failed network does."""
        while found := self.clients():
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[SshServer]:
    """Run a server.

    Args:
        folder: a short path, because it contains sockets.
        more: additional lines of the server's configuration.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "bin").mkdir(parents=True)
    (folder / "run").mkdir(mode=0o700)
    for name in ("key", "host_key"):
        keygen = (PROGRAMS / "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        subprocess.run(keygen, check=True)
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "sshd_config").write_text(_SERVER.format(folder=folder, port=port, more=more))
    (folder / "config").write_text(_CLIENT.format(folder=folder, port=port))
    (folder / "passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nsshd:x:65533:65533::/run/sshd:/bin/false\n"
    )
    (folder / "shadow").write_text("root:*:19000::::::\n")
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {PROGRAMS}/ssh -F {folder}/config "$@"\n')
    wrapper.chmod(0o755)
    argv = [part.format(folder=folder) for part in _ALONE]
    argv += [str(PROGRAMS / "sshd"), "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port, server, folder / "sshd.log")
        yield SshServer(folder, port)
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
            assert sock.recv(4) == b"SSH-"
            return
    raise AssertionError(log.read_text())
