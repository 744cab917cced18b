"""The types of ``open_process`` and ``run``, as overloads.

A stream of a process is None where it leads elsewhere, and a text stream with ``encoding``. The
output of a run is str with ``text`` or ``encoding``, else bytes; it may be None if ``stdout`` or
``stderr`` leads elsewhere.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, Protocol, TypeVar, Unpack, overload

from rind.execution.capture import CompletedProcess
from rind.execution.stdio import PIPE
from rind.keywords import (
    AnywhereKeywords,
    FoundKeywords,
    OpenKeywords,
    RunKeywords,
    takes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from rind.decide.plan import Words
    from rind.execution.stdin import StdinWriter
    from rind.execution.stdio import Elsewhere, LocalFile, ToUs
    from rind.execution.text import TextReader, TextWriter
    from rind.keywords import AnywhereOptions, FoundOptions, OpenOptions, RunOptions
    from rind.process import Process

    Fed = Elsewhere | bytes
    Diverted = Elsewhere | Literal[-2]

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

# Of a process with bytes, or with text: which of stdin (I), stdout (O) and stderr (E) lead to us.
BIOE_co = TypeVar("BIOE_co", covariant=True)
BIO_co = TypeVar("BIO_co", covariant=True)
BIE_co = TypeVar("BIE_co", covariant=True)
BI_co = TypeVar("BI_co", covariant=True)
BOE_co = TypeVar("BOE_co", covariant=True)
BO_co = TypeVar("BO_co", covariant=True)
BE_co = TypeVar("BE_co", covariant=True)
BNone_co = TypeVar("BNone_co", covariant=True)
BAny_co = TypeVar("BAny_co", covariant=True)
TIOE_co = TypeVar("TIOE_co", covariant=True)
TIO_co = TypeVar("TIO_co", covariant=True)
TIE_co = TypeVar("TIE_co", covariant=True)
TI_co = TypeVar("TI_co", covariant=True)
TOE_co = TypeVar("TOE_co", covariant=True)
TO_co = TypeVar("TO_co", covariant=True)
TE_co = TypeVar("TE_co", covariant=True)
TNone_co = TypeVar("TNone_co", covariant=True)
TAny_co = TypeVar("TAny_co", covariant=True)

# With one parameter on a line, what differs could not be seen.
# fmt: off


class InTarget(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that run a command in a container that was found."""

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        **options: Unpack[RunOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        **options: Unpack[RunOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[RunOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[RunOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[RunOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: bool, encoding: str | None = None, input: Any = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[RunOptions],
    ) -> A_co: ...


class Found(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that find a container on their engine, and run a command in it."""

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        **options: Unpack[FoundOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        **options: Unpack[FoundOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        **options: Unpack[FoundOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[FoundOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[FoundOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[FoundOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: bool, encoding: str | None = None, input: Any = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[FoundOptions],
    ) -> A_co: ...


class Anywhere(Protocol[B_co, S_co, BN_co, SN_co, A_co]):
    """The type of the functions that also find the container, by the types that they return."""

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> B_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        **options: Unpack[AnywhereOptions],
    ) -> S_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[False] = False, input: bytes | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[AnywhereOptions],
    ) -> BN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: Literal[True], input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[AnywhereOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, encoding: str, input: str | None = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[AnywhereOptions],
    ) -> SN_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, text: bool, encoding: str | None = None, input: Any = None,
        stdout: LocalFile = PIPE, stderr: LocalFile = PIPE, **options: Unpack[AnywhereOptions],
    ) -> A_co: ...


class Opening(Protocol[
    BIOE_co, BIO_co, BIE_co, BI_co, BOE_co, BO_co, BE_co, BNone_co, BAny_co, TIOE_co, TIO_co,
    TIE_co, TI_co, TOE_co, TO_co, TE_co, TNone_co, TAny_co,
]):
    """The type of the functions that open a process, by the types that they return."""

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BIOE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE, stderr: Diverted,
        tty: bool = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BIO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE,
        stderr: LocalFile = PIPE, tty: Literal[True], encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> BIO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: Elsewhere, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BIE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: Elsewhere, stderr: Diverted,
        tty: bool = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BI_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BOE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: Diverted,
        tty: bool = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: LocalFile = PIPE,
        tty: Literal[True], encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: Elsewhere, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: Elsewhere, stderr: Diverted,
        tty: bool = False, encoding: None = None, **options: Unpack[OpenOptions],
    ) -> BNone_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: LocalFile | bytes = PIPE, stdout: LocalFile = PIPE,
        stderr: LocalFile = PIPE, tty: bool = False, encoding: None = None,
        **options: Unpack[OpenOptions],
    ) -> BAny_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TIOE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE, stderr: Diverted,
        tty: bool = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TIO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: ToUs = PIPE,
        stderr: LocalFile = PIPE, tty: Literal[True], encoding: str, **options: Unpack[OpenOptions],
    ) -> TIO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: Elsewhere, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TIE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: ToUs = PIPE, stdout: Elsewhere, stderr: Diverted,
        tty: bool = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TI_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TOE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: Diverted,
        tty: bool = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: ToUs = PIPE, stderr: LocalFile = PIPE,
        tty: Literal[True], encoding: str, **options: Unpack[OpenOptions],
    ) -> TO_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: Elsewhere, stderr: ToUs = PIPE,
        tty: Literal[False] = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TE_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: Fed, stdout: Elsewhere, stderr: Diverted,
        tty: bool = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TNone_co: ...

    @overload
    def __call__(
        self, argv: Words = ..., *, stdin: LocalFile | bytes = PIPE, stdout: LocalFile = PIPE,
        stderr: LocalFile = PIPE, tty: bool = False, encoding: str, **options: Unpack[OpenOptions],
    ) -> TAny_co: ...


# fmt: on

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
        AbstractAsyncContextManager[Process[StdinWriter, None, StreamReader]],
        AbstractAsyncContextManager[Process[StdinWriter, None, None]],
        AbstractAsyncContextManager[Process[None, StreamReader, StreamReader]],
        AbstractAsyncContextManager[Process[None, StreamReader, None]],
        AbstractAsyncContextManager[Process[None, None, StreamReader]],
        AbstractAsyncContextManager[Process[None, None, None]],
        AbstractAsyncContextManager[
            Process[StdinWriter | None, StreamReader | None, StreamReader | None]
        ],
        AbstractAsyncContextManager[Process[TextWriter, TextReader, TextReader]],
        AbstractAsyncContextManager[Process[TextWriter, TextReader, None]],
        AbstractAsyncContextManager[Process[TextWriter, None, TextReader]],
        AbstractAsyncContextManager[Process[TextWriter, None, None]],
        AbstractAsyncContextManager[Process[None, TextReader, TextReader]],
        AbstractAsyncContextManager[Process[None, TextReader, None]],
        AbstractAsyncContextManager[Process[None, None, TextReader]],
        AbstractAsyncContextManager[Process[None, None, None]],
        AbstractAsyncContextManager[
            Process[TextWriter | None, TextReader | None, TextReader | None]
        ],
    ]
    """The type of :meth:`rind.Target.open_process`."""

    def as_open_process(function: Callable[..., Any]) -> OpenProcess:
        """Give a function the overloads, and check its keywords. A decorator."""

    def as_run(function: Callable[..., Any]) -> Run:
        """Give a function the overloads, and check its keywords. A decorator."""

    def as_run_sync(function: Callable[..., Any]) -> RunSync:
        """Give a function the overloads, and check its keywords. A decorator."""

    def as_run_found_sync(function: Callable[..., Any]) -> RunFoundSync:
        """Give a function the overloads, and check its keywords. A decorator."""

    def as_run_in_target_sync(function: Callable[..., Any]) -> RunInTargetSync:
        """Give a function the overloads, and check its keywords. A decorator."""

    def as_run_anywhere(function: Callable[..., Any]) -> RunAnywhere:
        """Give a function the overloads, and check its keywords. A decorator."""
else:
    # Jedi reads this branch, and completes a function's own parameters.
    as_open_process = takes(OpenKeywords)
    as_run = takes(RunKeywords)
    as_run_sync = takes(AnywhereKeywords)
    as_run_found_sync = takes(FoundKeywords)
    as_run_in_target_sync = takes(RunKeywords)
    as_run_anywhere = takes(AnywhereKeywords)
