"""What is said of a keyword that there is not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import rind
from rind.keywords import check_keywords

Misuse = Callable[..., Awaitable[Any]]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cwd", "did you mean workdir?"),
        ("timeuot", "did you mean timeout?"),
        ("servce", "did you mean service?"),
        ("zzz", "unexpected keyword argument 'zzz'$"),
    ],
)
async def test_it_is_refused_before_anything_is_connected(name: str, hint: str) -> None:
    run: Misuse = rind.run
    with pytest.raises(TypeError, match=hint.replace("?", "[?]")):
        await run(["true"], host="unix:///none.sock", **{name: "x"})


async def test_of_a_client_and_a_target_too() -> None:
    client = rind.connect("unix:///none.sock")
    find: Misuse = client.find
    with pytest.raises(TypeError, match=r"find.* did you mean container"):
        await find(name="web")
    target = client.target(rind.Container("0" * 64, "web", "running", "Up", {}))
    run: Misuse = target.run
    with pytest.raises(TypeError, match=r"run.* did you mean pre_step"):
        await run(["true"], prestep=False)
    opening: Any = target.open_process
    with pytest.raises(TypeError, match=r"open_process.* did you mean workdir"):
        async with opening(["true"], cwd="/"):
            pass


def test_what_is_known_is_taken() -> None:
    check_keywords("run", ["script", "timeout", "stdin"], rind.RunOptions)
