"""Records, compared with the standard library's data classes: both must behave alike."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any

import pytest

from rind.base import records

FIELDS = {"x": int, "y": dict[str, int], "z": str}


def made(module: Any, *, kw_only: bool, frozen: bool = True) -> Any:
    namespace = {
        "__annotations__": FIELDS,
        "__module__": __name__,
        "y": module.field(default_factory=dict),
        "z": "z",
    }
    return module.dataclass(frozen=frozen, slots=True, kw_only=kw_only)(type("Made", (), namespace))


@pytest.mark.parametrize("kw_only", [False, True])
@pytest.mark.parametrize(
    ("args", "values"),
    [
        ((), {"x": 1}),
        ((), {"x": 1, "y": {"a": 1}, "z": "b"}),
        ((1,), {}),
        ((1, {"a": 2}, "c"), {}),
        ((1,), {"z": "d"}),
        ((), {}),
        ((1,), {"x": 1}),
        ((1, {}, "c", 4), {}),
        ((), {"x": 1, "w": 2}),
    ],
)
def test_a_record_is_made_as_a_data_class(
    kw_only: bool,  # noqa: FBT001 # a case
    args: tuple[Any, ...],
    values: dict[str, Any],
) -> None:
    ours, theirs = (made(module, kw_only=kw_only) for module in (records, dataclasses))
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__match_args__ == theirs.__match_args__
    try:
        expected = theirs(*args, **values)
    except TypeError:
        with pytest.raises(TypeError):
            ours(*args, **values)
        return
    one = ours(*args, **values)
    assert repr(one) == repr(expected)
    assert dataclasses.asdict(one) == dataclasses.asdict(expected)
    assert one == ours(*args, **values) != expected
    for changed in (dataclasses.replace, records.replace):
        assert repr(changed(one, z="e")) == repr(dataclasses.replace(expected, z="e"))
    assert copy.deepcopy(one) == copy.copy(one) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 2


@records.dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


def test_a_record_is_hashed_and_pickled() -> None:
    assert {Point(1): 2}[Point(1, 0)] == 2
    assert pickle.loads(pickle.dumps(Point(3, 4))) == Point(3, 4)
    changing = made(records, kw_only=False, frozen=False)(1)
    changing.x = 2
    assert changing.x == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(changing)


def test_records_do_not_import_dataclasses() -> None:
    program = "import sys, rind.model; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not {b"dataclasses", b"inspect", b"typing"} & {*done.stdout.split()}
