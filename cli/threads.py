"""The programmatic client: everything that can be asked of threads. The commands only render what it answers."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from cli.abbreviation import meant
from cli.answers import PendingQuestion, ThreadLine, ThreadReport
from cli.errors import NotFound, NoWorker, Refused
from cli.following import Progress, closed, follow, is_over, without_end
from cli.questions import APPROVAL
from cli.reading import Reading, taking_over
from cli.story import Headline, no_headline
from cli.temporal import RPC_TIMEOUT, NoSuchWorkflow, count_workers, on_behalf_of, temporal
from cli.visibility import listed, logged, waiting
from eventlog.events import ApprovalEscalated, ApprovalRequested
from eventlog.log import NO_STREAM, EventLog, Recorded
from eventlog.streams import ThreadId, stream_of
from projections.fold import Projection
from projections.requests import (
    Answer,
    Approve,
    ClearBreakpoint,
    Deny,
    Interrupt,
    Pause,
    RaiseBudget,
    Record,
    Resume,
    Say,
    SetBreakpoint,
    StartSession,
    Steer,
    StepOnce,
    Terminate,
)
from projections.session import Session, Status

WORKFLOW = "Agent"
ANSWER_TIMEOUT = 10.0
"""Seconds an update may take: a worker answers in milliseconds, unless there is none."""
BEGIN_TIMEOUT = 5.0
"""Seconds a new thread may take to write its first event."""
SEARCH_TIMEOUT = 5.0
"""Seconds a list may spend in the log, looking for threads that Temporal has forgotten."""

S = TypeVar("S")
Steering: TypeAlias = Interrupt | Steer | StepOnce | SetBreakpoint | ClearBreakpoint
Wish: TypeAlias = Say | Answer | Approve | Deny | Pause | Resume | Terminate | Record | RaiseBudget | Steering


class Place(Protocol):
    """What of the settings a client needs."""

    @property
    def task_queue(self) -> str:
        """Where workers look for threads."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A thread that is there now."""

    thread_id: ThreadId
    existed: bool
    """Whether it was there before, so that nothing was started."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[S]):
    """A view, and the position up to which the stream was read; -1 where there was nothing to read."""

    state: S
    position: int


class Threads:
    """Threads, by Temporal and the log together: requests go to the one, answers are read from the other."""

    def __init__(self, client: Client, log: EventLog, settings: Place, headline: Headline = no_headline) -> None:
        self._client = client
        self._log = log
        self._headline = headline
        self.task_queue = settings.task_queue

    # -- requests ------------------------------------------------------------------------------

    async def start(self, thread: ThreadId, request: StartSession) -> Started:
        """Begin a thread. Starting twice is starting once: a thread that is there answers as itself."""
        if await self._ended_in_log(thread):
            return Started(thread, existed=True)
        with temporal(self._client):
            try:
                await self._client.start_workflow(
                    WORKFLOW,
                    request,
                    id=thread,
                    task_queue=self.task_queue,
                    # Not USE_EXISTING, which is as idempotent but does not tell that nothing was started.
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    priority=on_behalf_of(request.tenant),
                    rpc_timeout=RPC_TIMEOUT,
                )
            except WorkflowAlreadyStartedError:
                return Started(thread, existed=True)
        return Started(thread, existed=False)

    async def take_over(self, thread: ThreadId) -> bool:
        """Have a thread go on from the end of its stream where nothing runs it; false where it has ended.

        Its workflow begins as a further run of a long thread does. One that runs already goes on running. Raises
        `NotFound` where there is no such stream.
        """
        session = await self.session(thread)
        if session.completed is not None:
            return False
        with temporal(self._client), suppress(WorkflowAlreadyStartedError):
            await self._client.start_workflow(
                WORKFLOW,
                args=[None, {"started_ms": session.started_ms, "told": 0}],
                id=thread,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                priority=on_behalf_of(session.tenant),
                rpc_timeout=RPC_TIMEOUT,
            )
        return True

    async def begun(self, thread: ThreadId, timeout: float = BEGIN_TIMEOUT) -> ThreadReport:
        """The thread as soon as its first event is written, or its start has failed; as it is after `timeout`."""
        report = await self.report(thread)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), aclosing(self.follow(thread)) as news:
                async for progress in news:
                    report = progress.report
                    if report.position >= 0:
                        break
        return report

    async def say(self, thread: ThreadId, request: Say, *, signal: bool = False) -> int | None:
        """Tell the agent something."""
        return await self.ask(thread, request, signal=signal)

    async def approve(self, thread: ThreadId, request: Approve, *, signal: bool = False) -> int | None:
        """Allow one call, once."""
        return await self.ask(thread, request, signal=signal)

    async def deny(self, thread: ThreadId, request: Deny, *, signal: bool = False) -> int | None:
        """Forbid one call."""
        return await self.ask(thread, request, signal=signal)

    async def answer(self, thread: ThreadId, request: Answer, *, signal: bool = False) -> int | None:
        """Answer a question, once."""
        return await self.ask(thread, request, signal=signal)

    async def pause(self, thread: ThreadId, request: Pause, *, signal: bool = False) -> int | None:
        """Begin nothing new until resumed."""
        return await self.ask(thread, request, signal=signal)

    async def resume(self, thread: ThreadId, request: Resume, *, signal: bool = False) -> int | None:
        """Go on."""
        return await self.ask(thread, request, signal=signal)

    async def terminate(self, thread: ThreadId, request: Terminate, *, signal: bool = False) -> int | None:
        """End the thread now."""
        return await self.ask(thread, request, signal=signal)

    async def record(self, thread: ThreadId, request: Record, *, signal: bool = False) -> int | None:
        """Write an event of one's own into the thread's stream."""
        return await self.ask(thread, request, signal=signal)

    async def ask(self, thread: ThreadId, request: Wish, *, signal: bool = False) -> int | None:
        """Ask something of a thread: the position of the event it made; None where it was sent as a signal.

        Raises `NotFound`, `Refused`, and `NoWorker` where nobody is there to answer; a signal waits for a worker.
        """
        try:
            with temporal(self._client):
                handle = self._client.get_workflow_handle(thread)
                if signal:
                    await handle.signal(request.request, request, rpc_timeout=RPC_TIMEOUT)
                    return None
                return await self._update(handle, request)
        except NoSuchWorkflow as error:
            raise await self._gone(thread) from error

    async def _update(self, handle: WorkflowHandle[object, object], request: Wish) -> int | None:
        if not await self.workers():
            raise self._no_worker()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                accepted = await handle.execute_update(request.request, request, result_type=dict)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise self._no_answer(request) from error
        except WorkflowUpdateFailedError as error:
            raise _refused(error) from error
        position = accepted.get("position") if isinstance(accepted, dict) else None
        return position if isinstance(position, int) else None

    # -- questions -----------------------------------------------------------------------------

    async def workers(self) -> int:
        """How many workers answer on the task queue."""
        return await count_workers(self._client, self.task_queue)

    async def read(self, thread: ThreadId, at: int | None = None) -> Reading:
        """The thread's stream, folded up to and including position `at`; raises `NotFound`."""
        reading = self._reading(thread)
        await reading.catch_up(at)
        if not reading.session.started:
            await self._require_workflow(thread)
        elif at is not None and at > reading.session.position:
            raise _beyond(thread, at, reading.session.position)
        return reading

    async def session(self, thread: ThreadId, at: int | None = None) -> Session:
        """The state of the thread, now or at a position."""
        return (await self.read(thread, at)).session

    async def report(self, thread: ThreadId, at: int | None = None) -> ThreadReport:
        """Where the thread stands, now or at a position."""
        reading = await self.read(thread, at)
        return reading.report() if at is not None else await self.judged(reading)

    async def judged(self, reading: Reading) -> ThreadReport:
        """The report of what was read, unless nothing runs the thread any more: then Temporal's word counts."""
        report = reading.report()
        if report.ended or not await is_over(self._client, reading.thread):
            return report
        await reading.catch_up()  # it may have ended since
        report = reading.report()
        return report if report.ended else without_end(reading, await closed(self._client, reading.thread))

    async def pending(self, thread: ThreadId | None = None) -> list[PendingQuestion]:
        """The questions that wait for a person, in one thread or in all."""
        threads = await waiting(self._client) if thread is None else [thread]
        return [question for each in threads for question in (await self.read(each)).report().pending]

    async def question(self, thread: ThreadId, abbreviation: str | None, kinds: Collection[str]) -> PendingQuestion:
        """The question that is meant, of these kinds: by its call, abbreviated or, where just one waits, left out."""
        reading = await self.read(thread)
        if reading.session.completed is not None:
            raise _ended(thread, reading.session.completed)
        waiting = {each.call_id: each for each in reading.report().pending if each.kind in kinds}
        return waiting[meant(thread, abbreviation, tuple(waiting))]

    async def call(self, thread: ThreadId, abbreviation: str | None) -> str:
        """The id of the call meant that waits for leave: abbreviated or, where just one waits, left out."""
        reading = await self.read(thread)
        ids = [question.call_id for question in reading.report().pending if question.kind == APPROVAL]
        if abbreviation is not None and abbreviation in reading.calls:
            return abbreviation
        if reading.session.completed is not None:
            raise _ended(thread, reading.session.completed)
        return meant(thread, abbreviation, ids)

    async def asked_at(self, thread: ThreadId, call: str) -> int | None:
        """The position of the question about a call as it was asked first; None where it does not wait."""
        pending = (await self.session(thread)).pending.get(call)
        return pending.ballot.asked_at if pending is not None and pending.state == "asked" else None

    async def question_id(self, thread: ThreadId, call: str) -> UUID | None:
        """The id of the event that asks about a call now, where its answer must show a token."""
        question: UUID | None = None
        async for recorded in self.events(thread):
            if isinstance(recorded.event, ApprovalRequested | ApprovalEscalated) and recorded.event.call_id == call:
                question = recorded.id if recorded.event.token_sha256 is not None else None
        pending = (await self.session(thread)).pending.get(call)
        return question if pending is not None and pending.state == "asked" else None

    async def events(self, thread: ThreadId, at: int | None = None) -> AsyncGenerator[Recorded]:
        """Everything that happened, in order, up to and including position `at`."""
        await self.read(thread, 0)
        if at is not None and at > (last := await self._log.version(stream_of(thread))) >= 0:
            raise _beyond(thread, at, last)
        async for recorded in self._log.read(stream_of(thread), 0, at):
            yield recorded

    async def list(
        self, *, status: Status | None = None, tenant: str | None = None, limit: int = 20
    ) -> list[ThreadLine]:
        """The newest threads: those Temporal knows, then those only the log remembers."""
        lines: dict[str, ThreadLine] = {}
        async with aclosing(listed(self._client, status, tenant)) as known:
            async for line in known:
                if len(lines) >= limit:
                    return list(lines.values())
                lines[line.thread_id] = line
        with suppress(TimeoutError):
            async with asyncio.timeout(SEARCH_TIMEOUT):
                for line in await logged(self._log):
                    if status in {None, line.status} and tenant in {None, line.tenant}:
                        lines.setdefault(line.thread_id, line)
        return list(lines.values())[:limit]

    def follow(self, thread: ThreadId) -> AsyncGenerator[Progress]:
        """What has happened, then what happens as it happens, until the thread ends."""
        return follow(self._client, self._reading(thread))

    async def wait(self, thread: ThreadId) -> ThreadReport:
        """The thread as soon as it has ended or waits for a person."""
        async with aclosing(self.follow(thread)) as news:
            async for progress in news:
                if progress.report.status != "running" and progress.report.position >= 0:
                    return progress.report
        return await self.report(thread)

    async def view(self, thread: ThreadId, view: Projection[S], at: int | None = None) -> Seen[S]:
        """A view of the thread, folded up to and including position `at`; raises `NotFound`."""
        state, position = view.initial(), NO_STREAM
        async for recorded in self.events(thread, at):
            state, position = view.evolve(state, recorded), recorded.position
        return Seen(state, position)

    def _reading(self, thread: ThreadId) -> Reading:
        return Reading(self._log, thread, self._headline)

    # -- what may be wrong ---------------------------------------------------------------------

    async def _require_workflow(self, thread: ThreadId) -> None:
        """A thread that has written nothing yet is one only if Temporal knows it."""
        try:
            with temporal(self._client):
                await self._client.get_workflow_handle(thread).describe(rpc_timeout=RPC_TIMEOUT)
        except NoSuchWorkflow as error:
            raise _unknown(thread) from error

    async def _ended_in_log(self, thread: ThreadId) -> bool:
        if await self._log.version(stream_of(thread)) == NO_STREAM:
            return False
        reading = self._reading(thread)
        await reading.catch_up()
        return reading.session.completed is not None

    async def _gone(self, thread: ThreadId) -> NotFound | Refused:
        """Why a thread without a running workflow can be asked nothing."""
        session = await self.session(thread)
        if session.completed is not None:
            return _ended(thread, session.completed)
        return Refused(
            f"nothing runs thread {thread}: its workflow was ended from outside, its start failed, or it was imported",
            remedy=f"have it go on here: {taking_over(thread)}",
            kind="not_running",
        )

    def _no_worker(self) -> NoWorker:
        return NoWorker(
            f"no worker answers on task queue {self.task_queue!r}",
            remedy="start one with `perdure worker`, or send the request as a signal with --signal: it will wait",
        )

    def _no_answer(self, request: Wish) -> NoWorker:
        return NoWorker(
            f"no worker on task queue {self.task_queue!r} answered within {ANSWER_TIMEOUT:.0f} seconds",
            remedy=f"the {request.request} may still be done when one comes back: look with `perdure show`",
            kind="no_answer",
        )


def _refused(error: WorkflowUpdateFailedError) -> Refused:
    cause = error.cause
    message = cause.message if isinstance(cause, ApplicationError) else str(cause)
    return Refused(message)


def _ended(thread: ThreadId, reason: str) -> Refused:
    return Refused(f"thread {thread} has ended ({reason})", remedy=f"see it: perdure show {thread}", kind="ended")


def _beyond(thread: ThreadId, at: int, last: int) -> NotFound:
    return NotFound(f"thread {thread} has no position {at}", remedy=f"its last one, as yet, is {last}")


def _unknown(thread: ThreadId) -> NotFound:
    return NotFound(f"there is no thread {thread}", remedy="`perdure list` shows the threads there are")
