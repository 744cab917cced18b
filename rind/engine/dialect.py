"""What engines differ in, and where that is dealt with.

=====================================  ==========================================================
Docker                                 Podman (4.3 and 5.8), and where it matters
=====================================  ==========================================================
lists containers by seven states       refuses two of them: :attr:`Dialect.up`
a window size at start from API 1.42   never: :attr:`Dialect.takes_console_size`
``ExitCode`` null until the end        0, and ``CanRemove`` after the end, ``Pid`` 0 with the code
                                       (:func:`rind.engine.answers.read_exec_state`)
``Pid`` 0 if never started             0 after any end: what the stream says decides
                                       (:func:`rind.decide.start_failure.tells_failure`)
a failure to start on stdout           on stderr, between words of its own
                                       (:mod:`rind.decide.start_failure`)
variables are the container's own      so is ``TERM=xterm``: :attr:`Dialect.given`
nothing on stderr but the command's    words about stdin that was not read
                                       (:class:`rind.execution.receiver.Receiver`)
events tell how a container has ended  not all of them are told: it is asked for
                                       (:meth:`rind.execution.state.Inspector.explain`)
409 for a container that is down       500 (:meth:`rind.execution.state.Inspector.poll`)
processes by ``ps`` of the engine's    by words of its own that name both numbers of each
machine                                process (:mod:`rind.reaper.tree`)
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
"""The newest API version that the tests have seen; a newer engine is asked for this one."""
API_CONSOLE_SIZE: Final = (1, 42)
"""From here on the engine takes a window size at start (API changelog, v1.42)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine speaks.

    Attributes:
        api_version: the one to speak with it.
        is_podman: whether it is Podman.
    """

    api_version: tuple[int, int] = API_NEWEST
    is_podman: bool = False

    @property
    def takes_console_size(self) -> bool:
        """Whether a window size can be given at start; otherwise, resize at once."""
        return self.api_version >= API_CONSOLE_SIZE and not self.is_podman

    @property
    def up(self) -> list[str]:
        """The states of containers that are up."""
        return ["running", "paused"] if self.is_podman else ["running", "paused", "restarting"]

    @property
    def given(self) -> str:
        """A variable that the engine gives to every container; empty for none."""
        return "TERM=xterm" if self.is_podman else ""


def read_dialect(headers: Mapping[str, str]) -> Dialect:
    """Read the headers of the answer to a ping.

    Raises:
        WrongAnswer: no engine answers so.
    """
    theirs = read_api_version(headers.get("api-version", ""))
    return Dialect(min(theirs, API_NEWEST), "libpod-api-version" in headers)
