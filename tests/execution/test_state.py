"""The interpretation of answers about a command that a real engine rarely gives."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from rind.errors import Broken, ContainerGone, LeftRunning, Lost, Refused, Unreachable
from rind.execution.state import Inspector
from rind.model import Container, ExecState

if TYPE_CHECKING:
    from rind.engine.engine import Engine
    from rind.reaper.tree import Tree

RUNNING = ExecState(running=True, exit_code=None, pid=7)
UNSETTLED = ExecState(running=False, exit_code=None, pid=7)
ENDED = ExecState(running=False, exit_code=3, pid=7)
NOT_EXECUTABLE = ExecState(running=False, exit_code=126, pid=7)
NEVER_STARTED = ExecState(running=False, exit_code=126, pid=0)
WEB = Container(id="0" * 64, name="web", state="running", status="", labels={})


class Answers:
    """An engine and a command's tree with scripted answers."""

    def __init__(self, *answers: ExecState | Exception, root: bool | Exception = False) -> None:
        self.there: Container | Exception = WEB
        self.seen: list[str] = []
        self._answers = list(answers)
        self._root = root

    async def inspect_exec(self, _exec_id: str) -> ExecState:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def has_root(self) -> bool:
        if isinstance(self._root, Exception):
            raise self._root
        return self._root

    def container_is_up(self) -> bool:
        return False

    async def events(self, *_: object) -> list[str]:
        return self.seen

    async def container(self, _name: str) -> Container:
        if isinstance(self.there, Exception):
            raise self.there
        return self.there

    async def has_container(self, _container_id: str) -> bool:
        return not isinstance(self.there, Refused)


def inspector(answers: Answers) -> Inspector:
    return Inspector(cast("Engine", answers), WEB, "1" * 64, cast("Tree", answers))


async def test_the_state_is_polled_until_final() -> None:
    it = inspector(Answers(RUNNING, UNSETTLED, ENDED))
    assert [await it.poll() for _ in range(4)] == [RUNNING, UNSETTLED, ENDED, ENDED]
    assert it.settled == ENDED
    assert it.has_ended.is_set()


async def test_a_command_never_started_has_not_ended() -> None:
    it = inspector(Answers(NEVER_STARTED, root=True))
    assert await it.poll() == NEVER_STARTED
    assert it.settled
    assert not it.has_ended.is_set()


@pytest.mark.parametrize("root", [False, LeftRunning("there is no knowing")])
async def test_a_status_of_126_is_trusted(root: bool | Exception) -> None:  # noqa: FBT001 # a case
    assert await inspector(Answers(NOT_EXECUTABLE, root=root)).poll() == NOT_EXECUTABLE


async def test_a_status_of_126_is_not_trusted_while_the_command_runs() -> None:
    it = inspector(Answers(NOT_EXECUTABLE, root=True))
    with pytest.raises(Broken, match="may still be running in web"):
        await it.poll()
    assert it.settled is None


@pytest.mark.parametrize(
    ("answer", "raised", "told"),
    [
        (Unreachable("nothing"), Broken, "the engine went away: .* running in web"),
        (Refused(409, "Container x is not running"), ContainerGone, "web was stopped"),
        (Refused(409, "Container x is paused"), Refused, "paused"),
        (Refused(500, "out of order"), Refused, "out of order"),
    ],
)
async def test_a_missing_answer_is_an_error(
    answer: Exception, raised: type[Exception], told: str
) -> None:
    it = inspector(Answers(answer))
    with pytest.raises(raised, match=told):
        await it.poll()
    assert it.ending == ("stopped" if raised is ContainerGone else None)


@pytest.mark.parametrize(
    ("there", "raised", "told"),
    [
        (Refused(404, "No such container: web"), ContainerGone, "its container: web was removed"),
        (WEB, Lost, "the engine has forgotten the command: .* may still be running in web"),
        (replace(WEB, state="exited"), ContainerGone, "its container: web was killed"),
        (Unreachable("nothing"), Lost, "the engine has forgotten the command"),
    ],
)
async def test_a_forgotten_exec_instance_is_handled(
    there: Container | Exception, raised: type[Exception], told: str
) -> None:
    answers = Answers(Refused(404, "No such exec instance"))
    answers.there = there
    answers.seen = ["kill", "die"] if "killed" in told else []
    it = inspector(answers)
    with pytest.raises(raised, match=told):
        await it.poll()
    assert it.ending is None if raised is Lost else str(it.ending) in told
