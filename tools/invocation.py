"""Running a stranger's function: within its time, off the event loop, and whatever it raises.

An async function runs as a task, any other in a thread of its own: Python cannot stop a thread, and one that hangs
may neither block the others nor keep the process from ending. The number of threads is bounded all the same.
"""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

GRACE = 5.0
"""Seconds an async function has to clean up after it was told to stop."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The function raised, be it only SystemExit."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The function did not end in time. One in a thread may be running still."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """The function was not begun: every thread is taken."""


Outcome: TypeAlias = Returned | Raised
Ending: TypeAlias = Returned | Raised | TimedOut | Crowded
Call: TypeAlias = Callable[[], Any]
"""The function with its arguments."""
Then: TypeAlias = Callable[[Any], Any]
"""What is made of its value, where it ran."""


class Invocations:
    """The calls in progress in one process."""

    def __init__(self, most_threads: int) -> None:
        self._free = asyncio.Semaphore(most_threads)

    async def run(self, call: Call, then: Then, timeout: float, cancelled: threading.Event) -> Ending:
        """How the call ended; `cancelled` is set, and an async call cancelled, when it is waited for no longer."""
        if is_async(call):
            return await _watch(asyncio.create_task(_awaited(call, then)), timeout, cancelled)
        until = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(until):
                await self._free.acquire()
        except TimeoutError:
            return Crowded()
        left = until - asyncio.get_running_loop().time()
        return await _watch(self._in_thread(call, then), left, cancelled)

    def _in_thread(self, call: Call, then: Then) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        context = contextvars.copy_context()

        def settle(outcome: Outcome) -> None:
            self._free.release()
            if not future.done():
                future.set_result(outcome)

        def body() -> None:
            outcome = context.run(_called, call, then)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

        threading.Thread(target=body, name="perdure-tool", daemon=True).start()
        return future


def is_async(call: Call) -> bool:
    """Whether calling it gives something to await."""
    function = getattr(call, "func", call)
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _called(call: Call, then: Then) -> Outcome:
    try:
        return Returned(then(call()))
    except BaseException as error:  # noqa: BLE001 - a stranger's code: not even its SystemExit may end the worker
        return Raised(error)


async def _awaited(call: Call, then: Then) -> Outcome:
    try:
        return Returned(then(await call()))
    except BaseException as error:  # noqa: BLE001 - as above
        return Raised(error)


async def _watch(future: asyncio.Future[Outcome], timeout: float, cancelled: threading.Event) -> Ending:
    try:
        await asyncio.wait({future}, timeout=timeout)
    finally:
        if not future.done():
            cancelled.set()
            future.cancel()
            await asyncio.wait({future}, timeout=GRACE)
    return _ending(future, in_time=not cancelled.is_set())


def _ending(future: asyncio.Future[Outcome], *, in_time: bool) -> Ending:
    if not future.done() or future.cancelled():
        return TimedOut()
    outcome = future.result()
    return outcome if in_time or isinstance(outcome, Returned) else TimedOut()
