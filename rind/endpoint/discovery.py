"""The well-known sockets of engines, besides the default one.

They are tried, in the order of :func:`well_known`, when neither an option nor docker's own
configuration names an engine, and the default socket does not exist.
"""

from __future__ import annotations

import os
import socket

from rind.endpoint.address import accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["answering", "listens", "well_known"]


def well_known(env: Mapping[str, str], uid: int) -> Iterator[tuple[str, str]]:
    """Yield well-known sockets as (engine, address), in order of precedence.

    Args:
        env: the environment variables.
        uid: the user ID.
    """
    runtime = env.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    yield "rootless Docker", f"{runtime}/docker.sock"
    if home := env.get("HOME"):
        config = env.get("XDG_CONFIG_HOME") or f"{home}/.config"
        yield "Docker Desktop", f"{home}/.docker/desktop/docker.sock"
        yield "Docker Desktop", f"{home}/.docker/run/docker.sock"
        if folder := env.get("COLIMA_HOME"):
            yield "Colima", f"{folder}/default/docker.sock"
        yield "Colima", f"{home}/.colima/default/docker.sock"
        yield "Colima", f"{config}/colima/default/docker.sock"
        yield "Rancher Desktop", f"{home}/.rd/docker.sock"
        yield "OrbStack", f"{home}/.orbstack/run/docker.sock"
        # By the template "docker" (lima-vm/lima, templates/docker.yaml).
        yield "Lima", f"{env.get('LIMA_HOME') or f'{home}/.lima'}/docker/sock/docker.sock"
    if host := env.get("CONTAINER_HOST"):
        yield "Podman (CONTAINER_HOST)", host
    yield "rootless Podman", f"{runtime}/podman/podman.sock"
    yield "Podman", "/run/podman/podman.sock"
    if home:
        # Podman 5 on macOS ("podman machine inspect", PodmanSocket).
        if folder := env.get("TMPDIR"):
            path = os.path.join(folder, "podman/podman-machine-default-api.sock")
            yield "Podman's machine", path
        machine = f"{home}/.local/share/containers/podman/machine"
        yield "Podman's machine", f"{machine}/podman.sock"
        yield "Podman's machine", f"{machine}/qemu/podman.sock"


def answering(env: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the URL and the engine of the first well-known socket with a listener, or None.

    An ssh address, which CONTAINER_HOST may have, is returned without a test.
    """
    for engine, address in well_known(env, os.getuid()):
        try:
            url = accepted(address, tls=False)
        except ValueError:  # an invalid address, such as a path that is too long
            continue
        scheme, _, path = (url or "").partition("://")
        if url and (scheme == "ssh" or (scheme == "unix" and listens(path))):
            return url, engine
    return None


def listens(path: str) -> bool:
    """Whether a unix socket has a listener."""
    with socket.socket(socket.AF_UNIX) as sock:
        # Do not wait for a listener whose backlog is full.
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True
