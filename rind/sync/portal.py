"""An event loop in its own thread, which serves callers that block.

Goal: a call behaves like a blocking function, in any thread, even if another loop runs there. It
returns or raises in its caller. Functions among its arguments are called in its caller's thread.
Ctrl-C ends the call's work, and is raised afterwards.

Plan: a caller waits for *mail*: functions to call, and None at the end. The mail comes from the
loop, where a task does the work. An exception in the waiting caller, such as KeyboardInterrupt,
cancels the task; the caller raises it once the task has ended.

Hazards: a thread that is not a daemon would keep the interpreter from exiting, and a daemon thread
is killed in the middle of its work. So the thread is a daemon, and a function of :mod:`atexit` ends
the loops that are still open. After :func:`os.fork`, the child has no such thread: calls raise.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import warnings
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Generic, ParamSpec, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Closed", "Portal"]

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE: Final = 3
"""The number of interrupts that do not end a clean-up, which is bounded in time."""

_open: Final[set[Portal]] = set()
"""The portals to close at the interpreter's exit."""


class Closed(RuntimeError):
    """The portal was closed before the call, or during it."""


class Portal:
    """A loop in a thread, from its creation to :meth:`close`. Every thread may call its methods.

    Args:
        name: the name of its owner, for messages.

    Attributes:
        at_end: called in the loop before it ends, or None.

    Raises:
        OSError, RuntimeError: no further loop or thread can be created.
    """

    def __init__(self, name: str) -> None:
        self.at_end: Callable[[], Awaitable[object]] | None = None
        self._name = name
        self._pid = os.getpid()
        self._lock = threading.RLock()  # reentrant: a finalizer may run in a thread that holds it
        self._calls: set[_Call[Any]] = set()
        self._failure: Exception | None = None
        self._end = asyncio.Event()
        self._ending = False
        self._ended = threading.Event()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._serve, name="rind", daemon=True)
        _open.add(self)
        try:
            self._thread.start()
        except BaseException:
            _open.discard(self)
            self._runner.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can be called: it is not closed, and belongs to this process."""
        return not self._ending and os.getpid() == self._pid

    def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the loop; wait for its result, and return it.

        Functions among the arguments are called in this thread; their results are discarded.

        Raises:
            RuntimeError: the portal belongs to another process, or its own thread calls it.
            Closed: the portal is closed.
            BaseException: raised by the function, or by a signal's handler in this thread.
        """
        if self._is_own_thread():
            raise RuntimeError(
                f"{self._name} would wait for itself: it is called by its own thread"
            )
        call: _Call[T] = _Call()
        work = partial(function, *map(call.by_mail, args))
        call.work = partial(work, **{name: call.by_mail(value) for name, value in kwargs.items()})
        try:
            self._begin(call)
            call.serve()
        except BaseException as struck:
            self._abort(call, struck)
            raise
        else:
            return self._result(call)
        finally:
            self._calls.discard(call)
            del call  # breaks a cycle: its exception's traceback may contain this frame

    def close(self) -> None:
        """End the loop and its thread. Idempotent.

        Calls of other threads are cancelled; they raise RuntimeError, or their own exception.

        Raises:
            Exception: ``at_end`` raised it.
        """
        if os.getpid() != self._pid:
            return
        self._begin_to_end()
        if self._is_own_thread():
            return
        # Not join(): before Python 3.13, an interrupted join() marks the thread as ended.
        struck = _wait_out(self._ended.wait)
        if struck is not None:
            raise struck
        self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def abandon(self) -> None:
        """Begin to close, and warn that it was not closed. For finalizers: it does not wait."""
        if not self.is_open:
            return
        self._begin_to_end()
        warnings.warn(
            f"unclosed {self._name}: use it as a context manager, or call its close()",
            ResourceWarning,
            stacklevel=3,
        )

    def _is_own_thread(self) -> bool:
        """Whether the loop's own thread calls, as in a finalizer or a log handler."""
        return threading.current_thread() is self._thread

    def _begin(self, call: _Call[T]) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError(f"{self._name} is of the parent process: connect after the fork")
        with self._lock:
            if self._ending:
                raise Closed(f"{self._name} is closed")
            self._calls.add(call)
            self._loop.call_soon_threadsafe(call.start)

    def _abort(self, call: _Call[T], struck: BaseException) -> None:
        """Cancel a call, and wait for its end."""
        if call not in self._calls:
            return
        with suppress(RuntimeError):  # the loop has ended, and with it every call
            self._loop.call_soon_threadsafe(call.cancel)
        _wait_out(call.until_ended)
        for note in call.notes():
            struck.add_note(note)

    def _result(self, call: _Call[T]) -> T:
        closed = Closed(f"{self._name} was closed during the call")
        try:
            if call.task is not None and call.task.done() and not call.task.cancelled():
                return call.task.result()
        except RuntimeError as exc:
            if self._ending:  # it met what is closed already
                raise closed from exc
            raise
        finally:
            del call  # as above
        raise closed

    def _begin_to_end(self) -> None:
        with self._lock:
            if not self._ending:
                self._ending = True
                self._loop.call_soon_threadsafe(self._end.set)

    def _serve(self) -> None:
        """Run the loop. The thread's target."""
        try:
            with self._runner:
                self._runner.run(self._until_ended())
        except Exception as exc:  # noqa: BLE001 # close() raises it
            self._failure = exc
        finally:
            _open.discard(self)
            for call in list(self._calls):
                call.end()
            self._ended.set()

    async def _until_ended(self) -> None:
        await self._end.wait()
        if self.at_end is not None:
            await self.at_end()


class _Call(Generic[T]):
    """A call: its task is in the loop, and its caller waits for mail."""

    work: Callable[[], Awaitable[T]]

    def __init__(self) -> None:
        self.mail: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.task: asyncio.Task[T] | None = None
        self._has_ended = False

    def by_mail(self, value: Any) -> Any:
        """Return a function that mails a call of ``value``; a value that is no function itself."""
        if not callable(value) or isinstance(value, type):
            return value
        return lambda *args: self.mail.put(partial(value, *args))

    def start(self) -> None:
        """Start the task. Called in the loop."""
        self.task = asyncio.create_task(self._do())
        self.task.add_done_callback(self.end)

    async def _do(self) -> T:
        return await self.work()

    def cancel(self) -> None:
        """Cancel the task, or end the call if its task has not begun. Called in the loop."""
        if self.task is None:
            self.end()
        else:
            self.task.cancel()

    def end(self, _: object = None) -> None:
        """Wake the caller at the end. Called in the loop's thread."""
        self._has_ended = True
        self.mail.put(None)

    def serve(self) -> None:
        """Call the functions that come by mail, until the call has ended."""
        while (function := self.mail.get()) is not None:
            function()

    def until_ended(self) -> None:
        """Discard the mail until the call has ended. May be interrupted and repeated."""
        while not self._has_ended:
            self.mail.get()

    def notes(self) -> list[str]:
        """Return the notes of the task's exception."""
        if self.task is None or not self.task.done():
            return []
        try:
            self.task.result()
        except BaseException as exc:  # noqa: BLE001 # also a cancellation
            return getattr(exc, "__notes__", [])
        return []


def _wait_out(wait: Callable[[], object]) -> BaseException | None:
    """Wait, even if a signal's handler raises meanwhile; return its first exception.

    The wait ends early only after more than PATIENCE exceptions.
    """
    struck: BaseException | None = None
    for _ in range(PATIENCE + 1):
        try:
            wait()
        except BaseException as exc:  # noqa: BLE001 # returned to the caller
            struck = struck or exc
        else:
            break
    return struck


@atexit.register
def _close_all() -> None:
    for portal in list(_open):
        try:
            portal.abandon()
        finally:
            portal.close()
