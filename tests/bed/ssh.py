"""OpenSSH's client and server, run where they are unpacked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bed.checkout import BED, write_script
from bed.packages import Pack

if TYPE_CHECKING:
    from pathlib import Path

_SSH = Pack(
    "bookworm",
    (
        *("openssh-client", "openssh-server"),
        *("libaudit1", "libbsd0", "libcap-ng0", "libcap2", "libcom-err2", "libcrypt1", "libedit2"),
        *("libgcrypt20", "libgpg-error0", "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1"),
        *("libkrb5-3", "libkrb5support0", "liblz4-1", "liblzma5", "libmd0", "libnsl2", "libpam0g"),
        *("libpcre2-8-0", "libselinux1", "libssl3", "libsystemd0", "libtinfo6", "libtirpc3"),
        *("libwrap0", "libzstd1", "zlib1g"),
    ),
)


def programs() -> Path:
    """Return a folder with ssh, sshd, ssh-keygen, ssh-agent and ssh-add."""
    pack = _SSH.ready()
    folder = BED / "ssh"
    for name in ("ssh", "sshd", "ssh-keygen", "ssh-agent", "ssh-add"):
        # sshd executes itself again by its own path, which must be absolute.
        program = shlex.quote(str(pack / "bin" / name))
        library = shlex.quote(str(pack / "lib"))
        write_script(folder / name, f"LD_LIBRARY_PATH={library} exec {program}")
    return folder
