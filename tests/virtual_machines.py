"""Engines in virtual machines, as each describes a container with the project's folder in /app.

In the texts, HOME is the user's home directory, and LINK a symbolic link to it, as /tmp is one to
/private/tmp on macOS. No test runs these engines: each fact names its public source.
"""

from dataclasses import dataclass, field

COMPOSE = "com.docker.compose"
BIND = "desktop.docker.io/binds"


@dataclass(frozen=True)
class VirtualMachine:
    """An engine in a virtual machine.

    Attributes:
        socket: the path of its socket on this machine.
        context: docker's context for it.
        source: the source of the bind mount of HOME/shop, by GET /containers/json.
        start: the command that starts it on macOS.
        labels: the container's labels.
    """

    name: str
    socket: str
    context: str
    source: str
    start: str
    labels: dict[str, str] = field(default_factory=dict)

    def answer(self, home: str, link: str) -> dict[str, object]:
        """Return the engine's description of the container."""

        def filled(text: str) -> str:
            return text.replace("HOME", home).replace("LINK", link)

        labels = {"app.rind": "", f"{COMPOSE}.project.working_dir": "LINK/shop", **self.labels}
        return {
            "Id": "0123456789abcdef" * 4,
            "Names": ["/shop-web-1"],
            "State": "running",
            "Status": "Up 5 minutes",
            "Labels": {label: filled(value) for label, value in labels.items()},
            "Mounts": [
                {"Type": "bind", "Source": filled(self.source), "Destination": "/app"},
                {"Type": "bind", "Source": "/run/host-services/x", "Destination": "/x"},
            ],
        }


VIRTUAL_MACHINES = [
    # docker/for-mac#7647 (/host_mnt), docker/desktop-feedback#628 (the context), #276 (labels).
    VirtualMachine(
        *("Docker Desktop", "HOME/.docker/run/docker.sock", "desktop-linux"),
        *("/host_mntHOME/shop", "open -a Docker"),
        {f"{BIND}/0/Source": "HOME/shop", f"{BIND}/0/SourceKind": "hostFile"},
    ),
    # docker/for-win#4812 (the hash of a folder in a WSL distribution); the labels are quoted in
    # listings of "docker ps" that people publish.
    VirtualMachine(
        *("Docker Desktop", "HOME/.docker/desktop/docker.sock", "default"),
        "/run/desktop/mnt/host/wsl/docker-desktop-bind-mounts/Ubuntu/" + "9c2097a3" * 8,
        "open -a Docker",
        {
            f"{BIND}/0/Source": "/var/run/docker.sock",
            f"{BIND}/0/SourceKind": "dockerSocketProxied",
            f"{BIND}/0/Target": "/var/run/docker.sock",
            f"{BIND}/1/Source": "HOME/shop",
            f"{BIND}/1/SourceKind": "wsl2DistroFile",
            f"{BIND}/1/Target": "/app",
            "desktop.docker.io/wsl-distro": "Ubuntu",
        },
    ),
    # abiosoft/colima#712 (the socket), #382 (the virtual machine has the files by their own paths).
    VirtualMachine(
        *("Colima", "HOME/.colima/default/docker.sock", "colima"), "HOME/shop", "colima start"
    ),
    # orbstack/orbstack#415 (own paths), #823 (/mnt/mac for unshared folders).
    VirtualMachine(
        *("OrbStack", "HOME/.orbstack/run/docker.sock", "orbstack"),
        *("/mnt/macHOME/shop", "orbctl start"),
    ),
    # OpenHands/OpenHands#673 (the context and the socket).
    VirtualMachine(
        *("Rancher Desktop", "HOME/.rd/docker.sock", "rancher-desktop"),
        *("HOME/shop", "rdctl start"),
    ),
    # lima-vm/lima, templates/docker.yaml (the socket, and the context in its message).
    VirtualMachine(
        *("Lima", "HOME/.lima/docker/sock/docker.sock", "lima-docker"),
        *("HOME/shop", "limactl start docker"),
    ),
    # NVIDIA/OpenShell#1690 (below TMPDIR), #999 (the older one). It makes no context of docker's.
    VirtualMachine(
        *("Podman's machine", "HOME/podman/podman-machine-default-api.sock", ""),
        *("HOME/shop", "podman machine start"),
    ),
]
