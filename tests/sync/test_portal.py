"""Calls across threads, without an engine."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from rind.sync.portal import Portal, _Call


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal("the portal")
    yield portal
    portal.close()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def told(tell: Callable[[str], object], *, and_end: bool = True) -> str:
    tell("a part")
    if not and_end:
        await asyncio.Event().wait()
    return "the end"


def test_callbacks_run_in_the_callers_thread(portal: Portal) -> None:
    seen: list[object] = []

    def tell(what: str) -> None:
        seen.extend((what, threading.current_thread(), portal.call(told, print)))

    assert portal.call(told, tell) == "the end"
    assert seen == ["a part", threading.current_thread(), "the end"]


def test_an_exception_of_a_callback_ends_the_call(portal: Portal) -> None:
    with pytest.raises(ZeroDivisionError):
        portal.call(told, lambda _: 1 / 0, and_end=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        portal.call(told, print, nope=1)  # type: ignore[call-arg] # that is what is tested


def test_interrupts_wait_for_the_end(portal: Portal) -> None:
    """Also an interrupt while the call is being cancelled."""
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            interrupt()
            await asyncio.Event().wait()
        finally:
            interrupt()
            await asyncio.sleep(0)
            cleaned = True
            raise asyncio.CancelledError from None

    with pytest.raises(KeyboardInterrupt):
        portal.call(work)
    assert cleaned


def test_an_ended_call_does_not_block() -> None:
    call = _Call[None]()
    call.end()
    call.mail.get()
    call.until_ended()  # returns


def test_an_interrupt_reports_a_command_left_running(portal: Portal) -> None:
    async def work() -> None:
        try:
            interrupt()
            await asyncio.Event().wait()
        except asyncio.CancelledError as exc:
            exc.add_note("left running")
            raise

    with pytest.raises(KeyboardInterrupt) as caught:
        portal.call(work)
    assert caught.value.__notes__ == ["left running"]


def test_calls_of_its_own_thread_are_rejected(portal: Portal) -> None:
    """A finalizer, or a handler of log records, may run there."""

    async def work() -> None:
        portal.call(told, print)

    with pytest.raises(RuntimeError, match="the portal would wait for itself"):
        portal.call(work)


def test_a_call_that_meets_a_closed_client_reports_that() -> None:
    portal, ending, failed = Portal("the portal"), asyncio.Event(), asyncio.Event()

    async def work(begin: Callable[[], object]) -> None:
        begin()
        await ending.wait()
        failed.set()
        raise RuntimeError("the client is not connected")

    async def end() -> None:
        ending.set()
        await failed.wait()
        await asyncio.sleep(0)

    portal.at_end = end
    closing = threading.Thread(target=portal.close)
    with pytest.raises(RuntimeError, match="the portal was closed during the call"):
        portal.call(work, closing.start)
    closing.join()


def test_a_failing_end_is_raised() -> None:
    async def fail() -> None:
        raise OSError("gone")

    portal = Portal("the portal")
    portal.at_end = fail
    with pytest.raises(OSError, match="gone"):
        portal.close()
    portal.close()
    with pytest.raises(RuntimeError, match="the portal is closed"):
        portal.call(told, print)
