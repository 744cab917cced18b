"""Data types that all packages share: frozen, with neither I/O nor decisions."""

from __future__ import annotations

import re

from rind.base.light import pattern
from rind.base.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final, Literal

    MessageProtocol = Literal["", "lsp", "dap"]
    """The language server protocol, and the debug adapter protocol."""

    Checkout = Literal["", "ours", "another"]


__all__ = [
    "COMPOSE",
    "DEV_FOLDER",
    "INDEX",
    "NAME",
    "NO_DETACH_KEYS",
    "STACK",
    "SWARM",
    "Caller",
    "Container",
    "Defaults",
    "ExecConfig",
    "ExecState",
    "Mount",
    "Node",
    "Service",
    "Swarm",
    "Task",
    "is_full_id",
    "is_path",
]

COMPOSE: Final = "com.docker.compose"
"""The prefix of the labels that Compose puts on its containers (compose-go, labels.go)."""

SWARM: Final = "com.docker.swarm"
"""The prefix of the labels that a swarm puts on its tasks' containers (swarmkit, container.go)."""

DEV_FOLDER: Final = "devcontainer.local_folder"
"""The label that names the folder that a dev container was started for (containers.dev)."""

STACK: Final = "com.docker.stack.namespace"
"""The label that names the stack that a service belongs to (docker CLI, compose/convert)."""


INDEX: Final = pattern("[1-9][0-9]{0,8}")
"""A replica's number, in the form that ``--index`` accepts."""

FULL_ID: Final = "[0-9a-f]{64}"
"""Pattern of the full ID of a container, an image or an exec instance."""

NAME: Final = "[a-zA-Z0-9][a-zA-Z0-9_.-]*"
"""The names of containers and other objects (moby, names.RestrictedNamePattern). Also matches IDs,
which are hexadecimal."""

_FULL_ID: Final = pattern(FULL_ID)
_NODE_ID: Final = pattern("[0-9a-z]{25}")

MOST_PATH: Final = 4096
"""Bytes: Linux's PATH_MAX."""


NO_DETACH_KEYS: Final = ",".join(["ctrl-@", "ctrl-^"] * 8)
"""Detach keys that are never typed. Detaching cannot be disabled: without keys, the engine uses
ctrl-p,ctrl-q, and holds back every Ctrl-P until the next key (moby/term, EscapeProxy). It does so
for the first key of any sequence; Ctrl-@ is the key whose delay disturbs programs least."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount.

    Attributes:
        source: the path of the directory or file on the engine's machine.
        target: its path in the container.
    """

    source: str
    target: str


def is_path(text: str) -> bool:
    """Whether untrusted text can be an absolute path."""
    encoded = text.encode(errors="surrogatepass")
    return text.startswith("/") and "\0" not in text and len(encoded) < MOST_PATH


def is_full_id(text: str) -> bool:
    """Whether untrusted text can be the full ID of a container, an image or an exec instance."""
    return _FULL_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Container:
    """A container, as the engine describes it.

    Attributes:
        state: one word: running, paused, restarting, exited, created or dead.
        status: the state for people to read, such as ``Exited (3) 5 minutes ago``.
        image: the name of its image, or the image's ID.
        created: seconds since 1970.
        mounts: the bind mounts.
        folder: the working directory of its Compose project; empty without one.
        config_files: the Compose files of that project.
        local_folder: the folder that it was started for as a dev container; empty for others.
        node: the host name of the swarm's node that it is on; empty if that was not looked up.
        checkout: whether its folders are in the caller's git checkout (``ours``) or in another one
            of the same repository (``another``); empty for neither, or if that was not looked up.
    """

    id: str
    name: str
    state: str
    status: str
    labels: Mapping[str, str]
    image: str = ""
    created: int = 0
    mounts: Sequence[Mount] = ()
    folder: str = ""
    config_files: Sequence[str] = ()
    local_folder: str = ""
    node: str = ""
    checkout: Checkout = ""

    @property
    def folders(self) -> list[str]:
        """Its folders on the engine's machine: the project's, the dev container's, the mounts'."""
        named = [folder for folder in (self.folder, self.local_folder) if folder]
        return [*named, *(mount.source for mount in self.mounts)]

    @property
    def is_one_off(self) -> bool:
        """Whether ``docker compose run`` created it."""
        return self.labels.get(f"{COMPOSE}.oneoff") == "True"

    @property
    def health(self) -> str:
        """``healthy``, ``unhealthy`` or ``health: starting``; empty without a health check.

        In a list of containers, only the status says this (moby, container/health.go and state.go).
        """
        match = re.search(r"\((healthy|unhealthy|health: starting)\)$", self.status)
        return match[1] if match else ""

    @property
    def service(self) -> str:
        """The name of its service in the Compose project or the stack; empty without one."""
        name = self.labels.get(f"{SWARM}.service.name", "").removeprefix(f"{self.project}_")
        return self.labels.get(f"{COMPOSE}.service", name)

    @property
    def project(self) -> str:
        """The name of its Compose project or stack; empty without one."""
        return self.labels.get(f"{COMPOSE}.project", self.labels.get(STACK, ""))

    @property
    def index(self) -> str:
        """Its number among its service's replicas, from 1 on; empty without one.

        For the task of a swarm's global service, the host name of its node, or the node's ID if the
        name is unknown.
        """
        of_task, of_node = self._slot, self.labels.get(f"{SWARM}.node.id", "")
        if of_task and of_task == of_node and _NODE_ID.fullmatch(of_node):
            return self.node or of_node
        number = self.labels.get(f"{COMPOSE}.container-number", of_task)
        return number if INDEX.fullmatch(number) else ""

    @property
    def _slot(self) -> str:
        """The middle of a task's name: service.slot.ID, or service.node.ID if it is global."""
        return self.labels.get(f"{SWARM}.task.name", "").rpartition(".")[0].rpartition(".")[2]

    @property
    def is_task(self) -> bool:
        """Whether it is the container of a swarm's task."""
        return f"{SWARM}.task.name" in self.labels

    @property
    def title(self) -> str:
        """The name to show in lists and messages; for a swarm's task, such as ``web.2@node2``."""
        if not self.node:
            return self.name
        slot = self.index if INDEX.fullmatch(self.index) else ""
        return ".".join(filter(None, [self.service, slot])) + f"@{self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The calling process: its working directory, its environment and its user.

    Attributes:
        cwd: the working directory, symbolic links resolved; empty if it is unknown.
        environ: its environment variables.
        uid, gid: its user and group.
        engine: the endpoint, for messages.
        compose_folder: the nearest directory, from ``cwd`` up, that has a Compose file.
        dev_folder: the nearest directory, from ``cwd`` up, that configures a dev container.
        checkout: the root of the git checkout that contains ``cwd``; without one, ``cwd``.
        repository: the device and inode of that checkout's repository; None without one.
        project: the Compose project that its environment names; None if it names none.
        compose_file: the first Compose file that its environment names; None if it names none.
        is_program: whether it is a program that uses the library: messages then suggest keyword
            arguments instead of options.
    """

    cwd: str
    environ: Mapping[str, str] = field(default_factory=dict)
    uid: int = 0
    gid: int = 0
    engine: str = ""
    compose_folder: str | None = None
    dev_folder: str | None = None
    checkout: str = ""
    repository: tuple[int, int] | None = None
    project: str | None = None
    compose_file: str | None = None
    is_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecConfig:
    """The configuration of an exec instance (API: ``POST /containers/{id}/exec``).

    Attributes:
        env: ``NAME=value`` strings, added to the container's own environment.
        user: ``user[:group]``, by name or number; empty for the container's own.
        workdir: an absolute path; empty for the container's own.
        stdin, output: whether to attach it.
        detach_keys: in docker's syntax, for a TTY.
        mapped: the mounts whose paths are rewritten to this machine's in the output.
        protocol: the protocol that the command speaks, in whose messages paths are mapped; empty
            for any other command.
        library: this machine's folder with copies of the container's files, whose paths are mapped
            in stdin; then the reader of stdout maps the messages there. Empty for none.
        ssh_agent: the path of the caller's ssh agent's socket, which the command gets; empty if the
            caller has no agent, None if the command gets none.
        needs_ssh_agent: whether it is an error if the command cannot get it.
    """

    argv: Sequence[str]
    tty: bool = False
    stdin: bool = True
    output: bool = True
    env: Sequence[str] = ()
    user: str = ""
    workdir: str = ""
    privileged: bool = False
    detach_keys: str = NO_DETACH_KEYS
    mapped: Sequence[Mount] = ()
    protocol: MessageProtocol = ""
    library: str = ""
    ssh_agent: str | None = None
    needs_ssh_agent: bool = False


_START_FAILURES: Final = {125, 126, 127}
"""Exit codes that a command may return, but also those of commands that did not start."""


@dataclass(frozen=True, slots=True)
class ExecState:
    """The state of an exec instance.

    Attributes:
        exit_code: 0 to 255; None until the engine has settled it.
        pid: in the PID namespace of the engine's host; 0 until the command has started.
        is_forgotten: whether the pid is 0 because the command has ended.
    """

    running: bool
    exit_code: int | None
    pid: int
    is_forgotten: bool = False

    @property
    def has_started(self) -> bool | None:
        """Whether the command's process ever existed; None if the state is ambiguous."""
        if self.is_forgotten and self.exit_code in _START_FAILURES:
            return None
        return self.running or self.is_forgotten or self.pid > 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine's description of itself.

    Attributes:
        version: its own version, such as ``28.5.2``.
        api: the API version in use, such as ``1.51``.
        is_podman: whether it is Podman.
        os: the operating system of its containers, such as ``linux``.
        cgroups: the version of its control groups, such as ``2``; empty if unknown.
        is_rootless: whether it reports that it runs without root.
        node_id: its ID as a swarm's node; empty if it is not in a swarm.
    """

    version: str
    api: str = ""
    is_podman: bool = False
    os: str = "linux"
    cgroups: str = ""
    is_rootless: bool = False
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """A container's own settings, which a command inherits.

    Attributes:
        variables: its environment variables, by name.
        workdir: its working directory; empty for ``/``.
        user: its user; empty for root.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a swarm.

    Attributes:
        state: ready, down, unknown or disconnected.
        host: the address of its engine, from its label ``app.rind.host``; None without the label.
    """

    id: str
    hostname: str
    state: str
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a swarm.

    Attributes:
        name: begins with the stack's name, if it belongs to one.
        labels: the labels of the service itself.
        container_labels: the labels of its containers.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    container_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a service's container, on one node.

    Attributes:
        node_id: empty until it is assigned to a node.
        slot: its number among the replicas; 0 for a global service.
        state, desired: such as ``running``; see SwarmKit's task model.
        error: the reason of its failure; empty if the swarm reports none.
        container_id: empty until its container exists.
        labels: the labels that its container gets from the service.
        image: the name of its image, without a digest.
        created: seconds since 1970; 0 if unknown.
        changed: the time of its last change of state, in the engine's notation; sorts by time.
    """

    id: str
    service_id: str
    node_id: str
    slot: int
    state: str
    desired: str
    error: str
    container_id: str
    labels: Mapping[str, str]
    image: str
    created: int
    changed: str


@dataclass(frozen=True, slots=True)
class Swarm:
    """A manager's view of some services: nodes and services by their IDs, and the tasks."""

    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: Sequence[Task]
