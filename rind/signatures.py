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
    from rind.keywords import AnywhereOptions, OpenOptions, RunOptions
    from rind.process import Process

__all__ = [
    "OpenProcess",
    "Run",
    "RunAnywhere",
    "RunSync",
    "as_open_process",
    "as_run",
    "as_run_anywhere",
    "as_run_sync",
]

B_co = TypeVar("B_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)
BN_co = TypeVar("BN_co", covariant=True)
SN_co = TypeVar("SN_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)


class Run(Protocol):
    """The type of :meth:`rind.target.Target.run`."""

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[bytes]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[str]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[str]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[False] = False,
        input: bytes | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[bytes | None]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        text: Literal[True],
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[str | None]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        encoding: str,
        input: str | None = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[str | None]: ...

    @overload
    async def __call__(
        self,
        argv: Words = (),
        *,
        text: bool,
        encoding: str | None = None,
        input: Any = None,
        stdout: int | LocalFile = PIPE,
        stderr: int | LocalFile = PIPE,
        **options: Unpack[RunOptions],
    ) -> CompletedProcess[Any]: ...


class OpenProcess(Protocol):
    """The type of :meth:`rind.target.Target.open_process`."""

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[False] = False,
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[StdinWriter, StreamReader, StreamReader]]: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[True],
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[StdinWriter, StreamReader, None]]: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stderr: int | LocalFile,
        tty: bool = False,
        encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[StdinWriter, StreamReader, StreamReader | None]]: ...

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
    ) -> AbstractAsyncContextManager[
        Process[StdinWriter | None, StreamReader | None, StreamReader | None]
    ]: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[False] = False,
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[TextWriter, TextReader, TextReader]]: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        tty: Literal[True],
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[TextWriter, TextReader, None]]: ...

    @overload
    def __call__(
        self,
        argv: Words = (),
        *,
        stderr: int | LocalFile,
        tty: bool = False,
        encoding: str,
        **options: Unpack[OpenOptions],
    ) -> AbstractAsyncContextManager[Process[TextWriter, TextReader, TextReader | None]]: ...

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
    ) -> AbstractAsyncContextManager[
        Process[TextWriter | None, TextReader | None, TextReader | None]
    ]: ...


class _Anywhere(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
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


RunSync = _Anywhere[
    CompletedProcess[bytes],
    CompletedProcess[str],
    CompletedProcess[bytes | None],
    CompletedProcess[str | None],
    CompletedProcess[Any],
]
"""The type of :func:`rind.run_sync`."""

RunAnywhere = _Anywhere[
    Coroutine[Any, Any, CompletedProcess[bytes]],
    Coroutine[Any, Any, CompletedProcess[str]],
    Coroutine[Any, Any, CompletedProcess[bytes | None]],
    Coroutine[Any, Any, CompletedProcess[str | None]],
    Coroutine[Any, Any, CompletedProcess[Any]],
]
"""The type of :func:`rind.run`."""


def as_open_process(function: Callable[..., Any]) -> OpenProcess:
    """Give a function the overloads. A decorator."""
    return function


def as_run(function: Callable[..., Any]) -> Run:
    """Give a function the overloads. A decorator."""
    return function


def as_run_sync(function: Callable[..., Any]) -> RunSync:
    """Give a function the overloads. A decorator."""
    return function


def as_run_anywhere(function: Callable[..., Any]) -> RunAnywhere:
    """Give a function the overloads. A decorator."""
    return function
