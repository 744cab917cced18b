"""Which container to run in: a pure decision over what the engine listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rind.errors import SelectionError

__all__ = ["DEFAULT_LABEL", "Container", "require_running", "select"]

DEFAULT_LABEL: Final = "app.rind"

_MENDS: Final = {
    "paused": "resume it with: docker unpause {name}",
    "restarting": "see why with: docker logs {name}",
}


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of a container.

    Attributes:
        state: the engine's one word: running, paused, restarting, exited, created, dead.
        status: the same for people, such as ``Exited (3) 5 minutes ago``.
    """

    id: str
    name: str
    state: str
    status: str
    labels: Mapping[str, str]


def select(running: Sequence[Container], stopped: Sequence[Container], label: str) -> Container:
    """Choose the one container among those that bear ``label``.

    Args:
        running: those that the engine lists as up, paused ones included.
        stopped: the others with the label; they only serve the explanation.
        label: the label's key.

    Raises:
        SelectionError: none or several are up, or the one that is cannot be used.
    """
    if len(running) == 1:
        return require_running(running[0])
    if running:
        names = ", ".join(sorted(container.name for container in running))
        raise SelectionError(
            f"{len(running)} running containers have the label {label} ({names}): "
            "choose one with --container NAME"
        )
    if stopped:
        seen = "; ".join(f"{it.name} has it, but {_explain(it)}" for it in stopped)
        raise SelectionError(f"no running container has the label {label} ({seen})")
    raise SelectionError(
        f"no container has the label {label}: "
        f"put it on one (in a compose file, under labels:), or choose one with --container NAME"
    )


def require_running(container: Container) -> Container:
    """Return ``container`` if a command can be executed in it.

    Raises:
        SelectionError: it is paused, stopped or restarting.
    """
    if container.state != "running":
        raise SelectionError(f"the container {container.name} {_explain(container)}")
    return container


def _explain(container: Container) -> str:
    mend = _MENDS.get(container.state, "start it with: docker start {name}")
    # Only "Exited (3) 5 minutes ago" says more than the state; "Up 5 minutes (Paused)" misleads.
    exited = container.state == "exited" and container.status
    seen = exited[:1].lower() + exited[1:] if exited else f"is {container.state}"
    return f"{seen}; {mend.format(name=container.name)}"
