"""Work under way in this process: it is brought to its end although Temporal has lost sight of it.

A Temporal that is away for longer than a heartbeat may take counts an attempt as dead which is not. The attempt knows
what nobody else does, and the log, where its outcome belongs, is another system: so it goes on and writes. Temporal's
next attempt finds that in the log or, where it comes to the same process, waits for the same work.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

R = TypeVar("R")

LAST_MOMENTS = 10.0
"""Seconds that work which Temporal no longer sees may still take when its worker is told to stop."""


class Underway:
    """The work that one process is at, by what it is about."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[Any]] = {}

    async def bring_to_end(self, key: object, work: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """What the work comes to; begun only where no earlier attempt is at it still.

        Cancelled where somebody wants it stopped: a person, a worker that ends, or a limit on its time.
        """
        task: asyncio.Task[R] | None = self._tasks.get(key)
        if task is None or task.done():
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
        return await _unseen(task)

    def _forget(self, key: object, task: "asyncio.Task[Any]") -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]


async def _unseen(task: "asyncio.Task[R]") -> R:
    """Go on with what was to be cancelled, unless it is meant; whatever comes then is the end."""
    try:
        if await _is_lost_sight_of():
            activity.logger.warning("goes_on_unseen")
            await _until_done_or_stopped(task)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return await task


async def _until_done_or_stopped(task: "asyncio.Task[R]") -> None:
    stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=LAST_MOMENTS)
    finally:
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await stopping


async def _is_lost_sight_of() -> bool:
    """Whether the attempt is cancelled only because its beats did not reach Temporal, and its workflow runs on."""
    info, details = activity.info(), activity.cancellation_details()
    if info.is_local or details is None or not (details.timed_out or details.not_found):
        return False
    limit = info.start_to_close_timeout
    if limit is not None and datetime.now(UTC) - info.started_time >= limit:
        return False
    return not details.not_found or await _runs_on(info)


async def _runs_on(info: activity.Info) -> bool:
    """Whether the workflow that asked for the work still runs, as far as Temporal can be asked."""
    handle = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
    try:
        return (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    except RPCError as error:
        return error.status != RPCStatusCode.NOT_FOUND
