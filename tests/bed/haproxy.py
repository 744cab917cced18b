"""HAProxy, which people put before an engine's socket; run where it is unpacked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bed.checkout import BED, write_script
from bed.packages import Pack

if TYPE_CHECKING:
    from pathlib import Path

_HAPROXY = Pack(
    "bookworm",
    (
        *("haproxy", "libcap2", "libcrypt1", "libgcrypt20", "libgpg-error0", "liblua5.3-0"),
        *("liblz4-1", "liblzma5", "libopentracing-c-wrapper0", "libopentracing1", "libpcre2-8-0"),
        *("libssl3", "libsystemd0", "libzstd1", "zlib1g"),
    ),
    whole=True,
)


def program() -> Path:
    """Return the program's path."""
    root = _HAPROXY.ready()
    libraries = ":".join(sorted({str(file.parent) for file in root.rglob("*.so*")}))
    path = shlex.quote(str(root / "usr/sbin/haproxy"))
    return write_script(
        BED / "haproxy" / "haproxy", f"LD_LIBRARY_PATH={shlex.quote(libraries)} exec {path}"
    )
