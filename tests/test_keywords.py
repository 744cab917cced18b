"""Messages for wrong keywords and wrong values."""

import inspect
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import rind

Misuse = Callable[..., Awaitable[Any]]
NOWHERE = "unix:///none.sock"


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"cwd": "x"}, "run() got an unexpected keyword argument 'cwd': did you mean workdir?"),
        ({"timeuot": 1}, "'timeuot': did you mean timeout?"),
        ({"servce": "x"}, "'servce': did you mean service?"),
        ({"zzz": "x"}, "unexpected keyword argument 'zzz'"),
        ({"capture_output": True}, "'capture_output': output is captured by default"),
        ({"shell": True}, 'shell must be str or None, but is True: write script="…" for a command'),
        ({"user": 1000}, 'user must be str or None, but is 1000: write user="1000"'),
        ({"timeout": "5"}, "timeout must be float or None, but is '5': write timeout=5"),
        ({"check": None}, "check must be bool, but is None"),
        ({"env": ["A=secret"]}, "env must be a mapping of str to str, but is of type list: write"),
        ({"env": {"A": 1}}, 'is one with int: write env={"NAME": "value"}'),
        ({"capture_limit": 1.5}, "capture_limit must be int or None, but is 1.5"),
        ({"capture_limit": -1}, "capture_limit must be at least 0, but is -1"),
        ({"kill_after": -1}, "kill_after must be at least 0, but is -1"),
        ({"timeout": float("nan")}, "timeout must be at least 0, but is nan"),
        ({"on_output": "x"}, "on_output must be Callable or None, but is 'x'"),
        ({"stdin": rind.PIPE}, "stdin cannot be PIPE"),
        ({"stdout": "x"}, "stdout must be PIPE, DEVNULL, a file or a descriptor, but is 'x'"),
        ({"encoding": "nope"}, "there is no encoding 'nope'"),
        ({"input": "x"}, "input must be bytes, but is of type str"),
    ],
)
async def test_wrong_keywords_are_rejected_before_connecting(
    keywords: dict[str, object], said: str
) -> None:
    run: Misuse = rind.run
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        await run(["true"], host=NOWHERE, **keywords)


@pytest.mark.parametrize("connect", [rind.connect, rind.connect_sync])
def test_wrong_keywords_of_connect_are_rejected(connect: Callable[..., object]) -> None:
    for keywords, said in (
        ({"hots": "x"}, "connect.*'hots': did you mean host[?]"),
        ({"timeout": "5"}, "connect.*write timeout=5"),
        ({"host": 5}, "connect.*host must be str or None"),
    ):
        with pytest.raises(TypeError, match=said):
            connect(**keywords)


async def test_wrong_keywords_of_clients_and_targets_are_rejected() -> None:
    client: Any = rind.connect(NOWHERE)
    for method in (client.find, client.find_all, client.wait_for, client.wait_for_all):
        with pytest.raises(TypeError, match=rf"{method.__name__}\(\).* did you mean container"):
            await method(name="web")
        with pytest.raises(TypeError, match=r"must be a Wanted, but is 'web': write service='web'"):
            await method("web")
    with pytest.raises(TypeError, match="stopped must be bool, but is 1"):
        await client.containers(stopped=1)
    target: Any = client.target(rind.Container("0" * 64, "web", "running", "Up", {}))
    with pytest.raises(TypeError, match=r"run.* did you mean pre_step"):
        await target.run(["true"], prestep=False)
    for keywords, said in (
        ({"cwd": "/"}, r"open_process.* did you mean workdir"),
        ({"size": 80}, r"size must be a tuple of 2 numbers or None, but is 80"),
        ({"limit": 0}, r"limit must be at least 1, but is 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            target.open_process(["true"], **keywords)


def test_the_docstring_of_each_typeddict_has_its_fields() -> None:
    for fields in (rind.CommandOptions, rind.RunOptions, rind.WantedFields):
        described = re.findall(r"^    (\w[\w, ]*):", inspect.getdoc(fields) or "", re.MULTILINE)
        assert {*", ".join(described).split(", ")} == {*fields.__annotations__}


def test_signatures_have_every_keyword_with_its_default() -> None:
    run = inspect.signature(rind.run).parameters
    own = inspect.signature(rind.Target.run).parameters
    others = (rind.connect, "timeout"), (rind.Command, "stdin"), (rind.Command, "env")
    for owner in (rind.connect, rind.Wanted, rind.Command, inspect.unwrap(rind.Target.run)):
        for name, parameter in inspect.signature(owner).parameters.items():
            if name in run and (owner, name) not in others:
                assert run[name].default == parameter.default, name
    assert {"argv", *rind.RunOptions.__annotations__, *rind.WantedFields.__annotations__} < {*run}
    assert {*own} - {"self"} < {*run}
    assert inspect.signature(rind.run_sync).parameters == run
    assert inspect.iscoroutinefunction(rind.run)
    connect = inspect.signature(rind.connect).parameters
    without_a_loop = connect.keys() - {"docker"}
    assert inspect.signature(rind.connect_sync).parameters.keys() == without_a_loop
    assert inspect.signature(rind.connect_sync).parameters["timeout"].default == 30
