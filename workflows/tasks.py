"""Small things the process needs of asyncio and of Temporal's errors."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TemporalTimeout

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do this even where the workflow is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def let_go(task: asyncio.Task[None]) -> None:
    """Cancel what is not done yet, and wait until it really has stopped."""
    stopped = task.cancel()
    try:
        await task
    except (asyncio.CancelledError, FailureError) as error:
        if not (stopped and is_cancelled_exception(error)):
            raise


def why(error: FailureError) -> tuple[str, str]:
    """What kept an activity from its end, in a word and in a sentence. A cancelled one is no failure."""
    if is_cancelled_exception(error):
        raise error
    match error.cause if isinstance(error, ActivityError) else error:
        case ApplicationError(type=kind, message=message):
            return kind or "error", message
        case TemporalTimeout():
            return "crashed", "the worker died, or did not finish in time, as often as it was tried"
        case cause:
            return "error", str(cause or error)


def sooner(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    """The shorter of two waits; None is for ever."""
    given = [each for each in (one, other) if each is not None]
    return min(given) if given else None


def positive(left: timedelta | None) -> timedelta | None:
    """A timer that is due already still needs a moment: zero would mean no wait at all."""
    return None if left is None else max(left, timedelta(milliseconds=1))
