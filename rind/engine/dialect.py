"""The differences between engines, and the code that handles each.

=====================================  ==========================================================
Docker                                 Podman (4.3 and 5.8), and the code that handles it
=====================================  ==========================================================
filters containers by seven states     refuses two of them: :attr:`Dialect.up_states`
a window size at start, from API 1.42  never: :attr:`Dialect.takes_console_size`
``ExitCode`` is null until the end     is 0 from the start; ``CanRemove`` marks the end, and
                                       ``Pid`` is 0 once the code is final
                                       (:func:`rind.engine.answers.read_exec_state`)
``Pid`` is 0 if never started          is 0 after any end: the output decides
                                       (:func:`rind.decide.start_failure.is_podman_failure`)
a failure to start is on stdout        is on stderr, inside Podman's own messages
                                       (:mod:`rind.decide.start_failure`)
``Env`` has the container's variables  has ``TERM=xterm`` too: :attr:`Dialect.added_variable`
stderr is only the command's           may have Podman's own messages about unread stdin
                                       (:class:`rind.execution.receiver.Receiver`)
events say how a container ended       some are missing: inspect the container
                                       (:meth:`rind.execution.state.Inspector.explain`)
409 for a container that is down       500 (:meth:`rind.execution.state.Inspector.poll`)
lists processes by the ``ps`` of the   by its own descriptors, which have both PIDs of each
engine's machine                       process (:mod:`rind.reaper.tree`)
=====================================  ==========================================================
"""

from __future__ import annotations

from rind.base.records import dataclass
from rind.engine.answers import read_api_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = ["API_NEWEST", "Dialect", "read_dialect"]

API_NEWEST: Final = (1, 51)
"""The newest API version that the tests cover. With newer engines, Rind uses this one."""
API_CONSOLE_SIZE: Final = (1, 42)
"""From this API version on, the engine takes a window size at start (API changelog, v1.42)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The API version and the kind of an engine.

    Attributes:
        api_version: the version to use in requests.
        is_podman: whether the engine is Podman.
    """

    api_version: tuple[int, int] = API_NEWEST
    is_podman: bool = False

    @property
    def api(self) -> str:
        """The API version as text, such as ``1.51``."""
        return "{}.{}".format(*self.api_version)

    @property
    def takes_console_size(self) -> bool:
        """Whether a start request can have a window size; if not, resize right after the start."""
        return self.api_version >= API_CONSOLE_SIZE and not self.is_podman

    @property
    def up_states(self) -> list[str]:
        """The states of containers that are up, for the list's filter."""
        return ["running", "paused"] if self.is_podman else ["running", "paused", "restarting"]

    @property
    def added_variable(self) -> str:
        """A variable, ``NAME=value``, that the engine adds to every container; empty for none."""
        return "TERM=xterm" if self.is_podman else ""


def read_dialect(headers: Mapping[str, str]) -> Dialect:
    """Determine an engine's dialect from the headers of its answer to a ping.

    Raises:
        WrongAnswer: the headers are not an engine's.
    """
    newest = read_api_version(headers.get("api-version", ""))
    return Dialect(min(newest, API_NEWEST), "libpod-api-version" in headers)
