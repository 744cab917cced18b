"""Each method of the asynchronous library has one that blocks."""

import inspect

import pytest

import rind
from rind.sync.methods import as_blocking

WITHOUT = {
    "aclose": "close() does it",
    "docker": "aiodocker needs a loop",
    "drain": "flush() does it",
    "exchange": "on_output of run() does it",
    "execute": "an Exec needs a loop",
    "start": "an Exec needs a loop",
    "target": "reach() does it",
}


@pytest.mark.parametrize(
    ("waiting", "blocking"),
    [
        (rind.Client, rind.SyncClient),
        (rind.Target, rind.SyncTarget),
        (rind.Process, rind.SyncProcess),
    ],
)
def test_no_method_is_missing(waiting: type, blocking: type) -> None:
    names = {name for name in dir(waiting) if not name.startswith("_")}
    assert names - set(dir(blocking)) <= WITHOUT.keys()


def test_both_methods_have_the_same_signature() -> None:
    find = rind.SyncClient.find
    assert inspect.signature(find) == inspect.signature(rind.Client.find)
    assert 'web = client.find(service="web")' in str(find.__doc__)
    assert as_blocking("async with x: print((await y(f())).z); async for z in await_it") == (
        "with x: print(y(f()).z); for z in await_it"
    )
