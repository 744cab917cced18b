"""Errors keep their attributes when they are pickled or copied."""

import copy
import pickle

import pytest

import rind
from rind.cli.parser import LONG, MissingValue
from rind.model import Container

WEB = Container("0" * 64, "web", "running", "", {})


@pytest.mark.parametrize(
    "error",
    [
        rind.RindError("a"),
        rind.UsageError("a"),
        MissingValue("a", LONG["--env"]),
        rind.SelectionError("a"),
        rind.AmbiguousError("a", [WEB]),
        rind.NoContainerError("a", is_final=True),
        rind.StartError("a", 127),
        rind.CommandFailed(["ls", "a b"], 3, stdout=b"out", container="web"),
        rind.TimedOut(["ls"], 1.5, stdout="out", stderr="err", container="web"),
        rind.Unreachable("a"),
        rind.Refused(409, "a"),
        rind.Broken("a"),
        rind.Lost("a", "web"),
        rind.ContainerGone("a", "stopped"),
        rind.LeftRunning("a"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_copy_of_an_error_equals_it(error: rind.RindError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)
        assert other.exit_status == error.exit_status


def test_engines_messages_have_no_control_characters() -> None:
    text = "a\x1b[2J\x9bJ\r\nb\x07"
    for error in (
        rind.Unreachable(text),
        rind.Refused(500, text),
        rind.StartError(text, 125),
        rind.Lost(text, text),
        rind.ContainerGone(text, "stopped"),
        rind.AmbiguousError(text, []),
        rind.CommandFailed([text], 1, container=text),
    ):
        assert str(error).isprintable()
    assert str(rind.RindError()) == ""
