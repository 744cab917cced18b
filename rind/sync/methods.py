"""Methods that block, made of the methods of the asynchronous library.

A class for code that blocks lists such methods; their parameters and types are those of their
counterparts. Only methods with other parameters or types are written out.
"""

from __future__ import annotations

import re
from functools import update_wrapper, wraps
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rind.sync.portal import Portal

__all__ = ["Blocking", "as_blocking", "blocking", "same"]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

_NESTED: Final = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
_AWAITED: Final = re.compile(rf"\(await ({_NESTED})\)(?=\.)")
_ASYNC: Final = re.compile(r"\bawait |\basync (?=with|for)")


class Blocking(Generic[T]):
    """An object for code that blocks.

    Args:
        inner: its counterpart in the asynchronous library.
    """

    def __init__(self, inner: T) -> None:
        self._inner = inner

    @property
    def _portal(self) -> Portal:
        """The portal to the counterpart's event loop."""
        raise NotImplementedError


@overload
def blocking(
    method: Callable[Concatenate[T, P], Awaitable[R]],
) -> Callable[Concatenate[Blocking[T], P], R]: ...


@overload
def blocking(
    method: Callable[Concatenate[T, P], Awaitable[R]],
    shown: Callable[[Any, R], S],
) -> Callable[Concatenate[Blocking[T], P], S]: ...


def blocking(method: Callable[..., Awaitable[Any]], shown: Any = None) -> Callable[..., Any]:
    """Return the method that blocks until a method of the counterpart has returned.

    Args:
        method: the method, a coroutine function.
        shown: called with the blocking object and the result; its return value is the caller's.
    """

    @wraps(method)
    def call(self: Blocking[Any], *args: Any, **kwargs: Any) -> Any:
        result = self._portal.call(method, self._inner, *args, **kwargs)
        return result if shown is None else shown(self, result)

    call.__doc__ = as_blocking(method.__doc__)
    return call


def same(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[Blocking[T], P], R]:
    """Return a method that calls the counterpart's method of the same name, which does not wait."""

    def call(self: Blocking[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self._inner, *args, **kwargs)

    return update_wrapper(call, method)


def as_blocking(doc: str | None) -> str:
    """Return a coroutine function's documentation, rewritten for the function that blocks."""
    return _ASYNC.sub("", _AWAITED.sub(r"\1", doc or ""))
