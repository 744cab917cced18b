"""What a machine must have for engines to be made and started on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bed.packages import is_debian

_PROGRAMS = ("mount", "nsenter", "setpriv", "sh", "unshare")  # of packages that every Debian has


def lacking() -> str:
    """Say what this machine lacks, or nothing."""
    if not is_debian():
        return "not a Debian machine (no apt-get and dpkg)"
    if os.geteuid() != 0:
        return "not root"
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        return f"no {', '.join(missing)}"
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    if not any(mount.split()[4] == "/" for mount in mounts):
        return "in a chroot that is no mount point, where runc can't work (bind it onto itself)"
    return ""
