"""Data types that all packages share: frozen, without I/O and decisions."""

from __future__ import annotations

import re

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
    "is_path",
]

COMPOSE: Final = "com.docker.compose"
"""The prefix of the labels that Compose puts on its containers (compose-go, labels.go)."""

SWARM: Final = "com.docker.swarm"
"""The prefix of the labels that a swarm puts on its tasks' containers (swarmkit, container.go)."""

DEV_FOLDER: Final = "devcontainer.local_folder"
"""The label with the folder that a dev container was started for (containers.dev)."""

STACK: Final = "com.docker.stack.namespace"
"""The label with the stack that a service belongs to (docker CLI, compose/convert)."""


INDEX: Final = re.compile("[1-9][0-9]{0,8}")
"""A replica's number, as ``--index`` takes it."""

NAME: Final = "[a-zA-Z0-9][a-zA-Z0-9_.-]*"
"""moby's names.RestrictedNamePattern, of containers and more; IDs are hexadecimal."""

_NODE_ID: Final = re.compile("[0-9a-z]{25}")

MOST_PATH: Final = 4096
"""Bytes: Linux's PATH_MAX."""


NO_DETACH_KEYS: Final = ",".join(["ctrl-@", "ctrl-^"] * 8)
"""Detach keys that are never typed. There is no way to have none: empty means ctrl-p,ctrl-q to the
engine, which then holds back every Ctrl-P until the next key (moby/term, EscapeProxy). Whatever
the first key of the sequence is suffers that; Ctrl-@ is what programs wait for least."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount.

    Attributes:
        source: the directory or file, as the engine's machine names it.
        target: where the container has it.
    """

    source: str
    target: str


def is_path(text: str) -> bool:
    """Whether a text from elsewhere can be an absolute path at all."""
    encoded = text.encode(errors="surrogatepass")
    return text.startswith("/") and "\0" not in text and len(encoded) < MOST_PATH


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of a container.

    Attributes:
        state: the engine's one word: running, paused, restarting, exited, created, dead.
        status: the same for people, such as ``Exited (3) 5 minutes ago``.
        image: its name, or its ID.
        created: in seconds since 1970.
        mounts: the bind mounts.
        folder: the working directory of its Compose project; empty for none.
        config_files: the files of that project.
        local_folder: the folder that it is the dev container of; empty for none.
        node: the host name of the swarm's node that it is on; empty where that is not asked for.
        checkout: whether its folders are in the caller's git checkout (``ours``) or in another one
            of the same repository (``another``); empty for neither, and where nobody looked.
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
        """The folders of the engine's machine that it is for."""
        named = [folder for folder in (self.folder, self.local_folder) if folder]
        return [*named, *(mount.source for mount in self.mounts)]

    @property
    def is_one_off(self) -> bool:
        """Whether ``docker compose run`` made it."""
        return self.labels.get(f"{COMPOSE}.oneoff") == "True"

    @property
    def health(self) -> str:
        """``healthy``, ``unhealthy``, ``health: starting``; empty without a health check.

        The list of containers has it in the status only (moby, container/health.go and state.go).
        """
        match = re.search(r"\((healthy|unhealthy|health: starting)\)$", self.status)
        return match[1] if match else ""

    @property
    def service(self) -> str:
        """Its service, by its name in the Compose project or the stack; empty for none."""
        name = self.labels.get(f"{SWARM}.service.name", "").removeprefix(f"{self.project}_")
        return self.labels.get(f"{COMPOSE}.service", name)

    @property
    def project(self) -> str:
        """Its Compose project, or its stack; empty for none."""
        return self.labels.get(f"{COMPOSE}.project", self.labels.get(STACK, ""))

    @property
    def index(self) -> str:
        """Which replica of its service it is: a number from 1 on; empty for none.

        For the task of a swarm's global service, the host name of its node, or where that is not
        known its ID.
        """
        of_task, of_node = self._slot, self.labels.get(f"{SWARM}.node.id", "")
        if of_task and of_task == of_node and _NODE_ID.fullmatch(of_node):
            return self.node or of_node
        number = self.labels.get(f"{COMPOSE}.container-number", of_task)
        return number if INDEX.fullmatch(number) else ""

    @property
    def _slot(self) -> str:
        """A task is named service.slot.ID; that of a global service, service.node.ID."""
        return self.labels.get(f"{SWARM}.task.name", "").rpartition(".")[0].rpartition(".")[2]

    @property
    def is_task(self) -> bool:
        """Whether a swarm has made it."""
        return f"{SWARM}.task.name" in self.labels

    @property
    def title(self) -> str:
        """What it is called among others: its name, or as ``web.2@node2`` that of a task."""
        if not self.node:
            return self.name
        slot = self.index if INDEX.fullmatch(self.index) else ""
        return ".".join(filter(None, [self.service, slot])) + f"@{self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where the caller stands, and what it may lend to a command.

    Attributes:
        cwd: the working directory, symbolic links resolved; empty if it cannot be found out.
        environ: its environment variables.
        uid, gid: its user and group.
        engine: the endpoint, for messages.
        compose_folder: the nearest directory, from ``cwd`` up, that has a Compose file.
        dev_folder: the same for a dev container's configuration.
        checkout: the root of the git checkout that has ``cwd``; else ``cwd``.
        repository: the device and inode of that checkout's repository; None for none.
        project: the Compose project that its environment names; empty for none.
        compose_file: the first of the Compose files that its environment names; empty for none.
        is_program: whether it is a program that uses the library, and is told keywords, no options.
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
    project: str = ""
    compose_file: str = ""
    is_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecConfig:
    """What an exec instance is created from (API: ``POST /containers/{id}/exec``).

    Attributes:
        env: ``NAME=value`` strings, added to the container's own environment.
        user: ``user[:group]``, by name or number; empty for the container's own.
        workdir: absolute; empty for the container's own.
        stdin, output: what will be attached.
        detach_keys: in docker's syntax, for a TTY.
        mapped: the mounts whose paths become this machine's in the output; none with a TTY.
        protocol: what the command speaks, in whose messages they are mapped; empty for none.
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


_OF_THE_START: Final = {125, 126, 127}
"""The exit codes of commands that did not start, too."""


@dataclass(frozen=True, slots=True)
class ExecState:
    """What the engine knows of an exec instance.

    Attributes:
        exit_code: 0 to 255; None until it is settled.
        pid: as the engine's host numbers it; 0 until the command has started.
        is_forgotten: whether the pid is 0 because the command has ended.
    """

    running: bool
    exit_code: int | None
    pid: int
    is_forgotten: bool = False

    @property
    def has_started(self) -> bool | None:
        """Whether there was ever a process; None if the state does not tell."""
        if self.is_forgotten and self.exit_code in _OF_THE_START:
            return None
        return self.running or self.is_forgotten or self.pid > 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself.

    Attributes:
        version: its own, as ``28.5.2``.
        api: the version that is spoken with it, as ``1.51``.
        is_podman: whether it is Podman.
        os: of its containers, as ``linux``.
        cgroups: the version of its control groups, as ``2``; empty if it does not say.
        is_rootless: whether it says that it runs without root.
        node_id: the ID of the swarm's node that it is; empty for none.
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
    """What a container gives to a command that asks for nothing else.

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
        host: how its engine is reached, by its label ``app.rind.host``; empty for unsaid.
    """

    id: str
    hostname: str
    state: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a swarm.

    Attributes:
        name: the stack's is before it, if it is of one.
        labels: its own.
        container_labels: those that its containers get.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    container_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a service's container, on one node.

    Attributes:
        node_id: empty before it has one.
        slot: its number among the replicas; 0 of a global service.
        state, desired: as ``running``; see SwarmKit's task model.
        error: why it has failed; empty for no reason.
        container_id: empty before it has one.
        labels: those that the container has from the service.
        image: its name, without a digest.
        created: in seconds since 1970; 0 for unsaid.
        changed: when its state has, as the engine writes a time; later is greater.
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
    """What a manager knows of some services: the nodes and these, each by its ID, and the tasks."""

    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: Sequence[Task]
