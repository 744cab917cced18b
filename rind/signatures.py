"""The overloads of ``open_process`` and ``run``.

Output is str with ``text`` or ``encoding``, else bytes. It is None for a stream that ``stdout`` or
``stderr`` leads elsewhere.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, Protocol, TypeVar, Unpack, overload

from rind.execution.capture import CompletedProcess
from rind.execution.stdio import PIPE

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from rind.decide.plan import Words
    from rind.execution.stdin import StdinWriter
    from rind.execution.stdio import LocalFile
    from rind.execution.text import TextReader, TextWriter
    from rind.keywords import AnywhereOptions, FoundOptions, OpenOptions, RunOptions
    from rind.process import Process

__all__ = [
    "Anywhere",
    "Found",
    "InTarget",
    "Opening",
    "Run",
    "RunAnywhere",
    "RunFoundSync",
    "RunInTargetSync",
    "RunSync",
    "as_open_process",
    "as_run",
    "as_run_anywhere",
    "as_run_found_sync",
    "as_run_in_target_sync",
    "as_run_sync",
]

B_co = TypeVar("B_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)
BN_co = TypeVar("BN_co", covariant=True)
SN_co = TypeVar("SN_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)
BT_co = TypeVar("BT_co", covariant=True)
ST_co = TypeVar("ST_co", covariant=True)
BE_co = TypeVar("BE_co", covariant=True)
SE_co = TypeVar("SE_co", covariant=True)


class InTarget(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that run a command in a container that was found."""

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        **options: Unpack[RunOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: bool,
        encoding: str | None = None,
        input: Any = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> A_co: ...


class Opening(Protocol[B_co, BT_co, BE_co, BN_co, S_co, ST_co, SE_co, SN_co]):
    """The type of the functions that open a process, by the types that they return."""

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[False] = False,
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[True],
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> BT_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stderr: int | LocalFile,
        tty: bool = False,
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> BE_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stdin: int | bytes | LocalFile = PIPE,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        tty: bool = False,
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[False] = False,
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[True],
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> ST_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stderr: int | LocalFile,
        tty: bool = False,
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> SE_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stdin: int | bytes | LocalFile = PIPE,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        tty: bool = False,
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> SN_co: ...


class Found(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that find a container on their engine, and run a command in it."""

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        **options: Unpack[FoundOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        **options: Unpack[FoundOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        **options: Unpack[FoundOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[FoundOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[FoundOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[FoundOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: bool,
        encoding: str | None = None,
        input: Any = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[FoundOptions],
    ) -> A_co: ...


class Anywhere(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that also find the container, by the types that they return."""

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[AnywhereOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[AnywhereOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[AnywhereOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        text: bool,
        encoding: str | None = None,
        input: Any = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[AnywhereOptions],
    ) -> A_co: ...


RunSync = Anywhere[
    CompletedProcess[bytes],
    CompletedProcess[str],
    CompletedProcess[bytes | None],
    CompletedProcess[str | None],
    CompletedProcess[Any],
]
"""The type of :func:`rind.run_sync`."""

RunFoundSync = Found[
    CompletedProcess[bytes],
    CompletedProcess[str],
    CompletedProcess[bytes | None],
    CompletedProcess[str | None],
    CompletedProcess[Any],
]
"""The type of :meth:`rind.SyncClient.run`."""

RunInTargetSync = InTarget[
    CompletedProcess[bytes],
    CompletedProcess[str],
    CompletedProcess[bytes | None],
    CompletedProcess[str | None],
    CompletedProcess[Any],
]
"""The type of :meth:`rind.SyncTarget.run`."""

RunAnywhere = Anywhere[
    Coroutine[Any, Any, CompletedProcess[bytes]],
    Coroutine[Any, Any, CompletedProcess[str]],
    Coroutine[Any, Any, CompletedProcess[bytes | None]],
    Coroutine[Any, Any, CompletedProcess[str | None]],
    Coroutine[Any, Any, CompletedProcess[Any]],
]
"""The type of :func:`rind.run`."""

Run = InTarget[
    Coroutine[Any, Any, CompletedProcess[bytes]],
    Coroutine[Any, Any, CompletedProcess[str]],
    Coroutine[Any, Any, CompletedProcess[bytes | None]],
    Coroutine[Any, Any, CompletedProcess[str | None]],
    Coroutine[Any, Any, CompletedProcess[Any]],
]
"""The type of :meth:`rind.Target.run`."""

if TYPE_CHECKING:
    OpenProcess = Opening[
        AbstractAsyncContextManager[Process[StdinWriter, StreamReader, StreamReader]],
        AbstractAsyncContextManager[Process[StdinWriter, StreamReader, None]],
        AbstractAsyncContextManager[Process[StdinWriter, StreamReader, StreamReader | None]],
        AbstractAsyncContextManager[
            Process[StdinWriter | None, StreamReader | None, StreamReader | None]
        ],
        AbstractAsyncContextManager[Process[TextWriter, TextReader, TextReader]],
        AbstractAsyncContextManager[Process[TextWriter, TextReader, None]],
        AbstractAsyncContextManager[Process[TextWriter, TextReader, TextReader | None]],
        AbstractAsyncContextManager[
            Process[TextWriter | None, TextReader | None, TextReader | None]
        ],
    ]
    """The type of :meth:`rind.Target.open_process`."""


def as_open_process(function: Callable[..., Any]) -> OpenProcess:
    """Give a function the overloads. A decorator."""
    return function


def as_run(function: Callable[..., Any]) -> Run:
    """Give a function the overloads. A decorator."""
    return function


def as_run_sync(function: Callable[..., Any]) -> RunSync:
    """Give a function the overloads. A decorator."""
    return function


def as_run_found_sync(function: Callable[..., Any]) -> RunFoundSync:
    """Give a function the overloads. A decorator."""
    return function


def as_run_in_target_sync(function: Callable[..., Any]) -> RunInTargetSync:
    """Give a function the overloads. A decorator."""
    return function


def as_run_anywhere(function: Callable[..., Any]) -> RunAnywhere:
    """Give a function the overloads. A decorator."""
    return function
