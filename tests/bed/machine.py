"""Requirements of a machine for starting private engines."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bed.packages import is_debian

_PROGRAMS = ("mount", "nsenter", "setpriv", "sh", "unshare")  # of packages that every Debian has


def lacking() -> str:
    """Return the first requirement that this machine does not meet; empty if it meets all."""
    if not is_debian():
        return "not a Debian machine (no apt-get and dpkg)"
    if os.geteuid() != 0:
        return "not root"
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        return f"no {', '.join(missing)}"
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    if not any(mount.split()[4] == "/" for mount in mounts):
        return "in a chroot that is not a mount point, where runc fails (bind-mount it onto itself)"
    return ""
