"""Following a thread: its stream is read again and again, while Temporal is asked to say when its workflow closes."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Literal

from temporalio import exceptions
from temporalio.client import Client, WorkflowFailureError

from cli.answers import ThreadReport
from cli.errors import DatabaseUnreachable, NotFound, TemporalUnreachable
from cli.reading import Reading, closed_from_outside, nobodys
from cli.temporal import RPC_TIMEOUT, NoSuchWorkflow, temporal
from cli.visibility import OVER
from eventlog.log import LogUnavailable, Recorded
from eventlog.streams import ThreadId
from projections.timeline import Line

INTERVAL = 0.25
"""Seconds between two looks at the stream."""
PATIENCE = 60.0
"""Seconds the log may be away before following it is given up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is new, and where the thread stands after it."""

    news: tuple[Recorded, ...]
    lines: tuple[Line, ...]
    """The same, for people."""
    report: ThreadReport


@dataclass(frozen=True, slots=True)
class Closed:
    """How a workflow ended, by Temporal's word."""

    status: Literal["failed", "terminated"]
    why: str


async def follow(client: Client, reading: Reading) -> AsyncGenerator[Progress]:
    """Every step of a thread from its beginning; ends with the thread, whoever ended it, or when nothing runs it."""
    closing = asyncio.create_task(closed(client, reading.thread))
    first = True
    try:
        if await is_over(client, reading.thread):
            await closing  # the very first look must not find anybody waiting who waits no more
        while True:
            over = closing.done()  # asked before the stream is read: then the stream has all there will be
            progress = await _look(reading)
            if over and not progress.report.ended:
                progress = replace(progress, report=without_end(reading, closing.result()))
            if progress.news or first or over:
                yield progress
            if progress.report.ended or over:
                return
            first = False
            await asyncio.wait({closing}, timeout=INTERVAL)
    finally:
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)


async def is_over(client: Client, thread: ThreadId) -> bool:
    """Whether the thread's workflow has closed, or there is none, as far as Temporal can be asked."""
    try:
        with temporal(client):
            found = await client.get_workflow_handle(thread).describe(rpc_timeout=RPC_TIMEOUT)
    except NoSuchWorkflow:
        return True
    except TemporalUnreachable:
        return False
    return found.status in OVER


async def _look(reading: Reading) -> Progress:
    known = len(reading.lines)
    news = await _patiently(reading)
    return Progress(tuple(news), tuple(reading.lines[known:]), reading.report())


def without_end(reading: Reading, end: Closed | None) -> ThreadReport:
    """The report of a thread whose workflow is over though its stream has no end."""
    if end is None and not reading.session.started:
        raise NotFound(f"there is no thread {reading.thread}", remedy="`perdure list` shows the threads there are")
    if end is None:
        return nobodys(reading.report())
    return closed_from_outside(reading.report(), end.status, end.why)


async def _patiently(reading: Reading) -> list[Recorded]:
    """What is new in the stream, waiting a while for a database that is away."""
    began = time.monotonic()
    while True:
        try:
            return await reading.catch_up()
        except LogUnavailable as error:
            if time.monotonic() - began > PATIENCE:
                raise DatabaseUnreachable(f"the log has been away for {PATIENCE:.0f} seconds: {error}") from error
            await asyncio.sleep(1)


async def closed(client: Client, thread: ThreadId) -> Closed | None:
    """How the workflow ended, as soon as it has; None where Temporal has none of that id."""
    handle = client.get_workflow_handle(thread)
    while True:
        try:
            with temporal(client):
                await handle.result()
            return Closed("failed", "its workflow has completed, and its stream has no end; see: perdure verify")
        except NoSuchWorkflow:
            return None
        except WorkflowFailureError as error:
            return _ended(error)
        except TemporalUnreachable:
            await asyncio.sleep(1)


def _ended(error: WorkflowFailureError) -> Closed:
    match error.cause:
        case exceptions.TerminatedError() as cause:
            return Closed("terminated", f"its workflow was terminated from outside: {cause.message}")
        case exceptions.CancelledError():
            return Closed("terminated", "its workflow was cancelled")
        case exceptions.TimeoutError():
            return Closed("failed", "its workflow timed out")
        case exceptions.FailureError() as cause:
            return Closed("failed", cause.message)
        case cause:
            return Closed("failed", str(cause))
