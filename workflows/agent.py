"""The agent, told as a process. START HERE after `projections/next_step.py`."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar, assert_never

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TemporalTimeout

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.model import ModelActivities
    from activities.session import SessionActivities
    from activities.steps import CRASHED, InThread, Learned, ModelStep, OpenSession, Tell, ToolStep
    from activities.tools import ToolActivities
    from eventlog.streams import InvalidName, thread_id
    from eventlog.terms import CompletionReason, ToolTerms
    from llm.messages import Frozen
    from projections.next_step import (
        AwaitMessage,
        AwaitResume,
        CallModel,
        Ended,
        Finish,
        SettleCalls,
        Step,
        TripLimit,
        next_step,
    )
    from projections.requests import Close, Expire, GiveUpModel, GiveUpTool, Request, StartSession, Terminate, Trip
    from projections.session import PendingCall, Session, Status, evolve, milliseconds
    from workflows.doors import Doors, mistakes
    from workflows.face import Face
    from workflows.options import LOG, LOG_AWAY, MODEL, quick_options, tool_options

T = TypeVar("T")


class Outcome(Frozen):
    """What a finished session was: a reference into the log, where the answer stands."""

    thread_id: str
    status: Status
    reason: CompletionReason
    position: int


class Resumed(Frozen):
    """What one run of a long session hands to the next: numbers only; the rest is in the log."""

    started_ms: int
    told: int
    """Requests made so far."""


@workflow.defn(name="Agent")
class AgentWorkflow(Doors):
    """One session, from its first message to its end.

    The loop asks `next_step` of the folded session what to do and does it, until nothing is left to do. Steps are
    activities; each answers with marks, content-free copies of the events it wrote, and folding them is all this
    workflow ever learns. Whoever wants something of the session comes through its `Doors`, and becomes a fact too.
    """

    @workflow.init
    def __init__(self, *given: Any) -> None:
        self.session = Session()
        self._known_up_to = -1
        self._resumed = _read_resumed(given)
        self._told = self._resumed.told if self._resumed else 0
        self._telling = asyncio.Lock()
        self._cancelled = False
        self._face = Face()

    @workflow.run
    async def run(self, *given: Any) -> Outcome:
        """Open the session and take one step after another. It is given a `StartSession`, or what a run before left."""
        try:
            await _to_the_end(self._open(given))
        except asyncio.CancelledError:
            await self._cancel()
        while not isinstance(step := self._next(), Ended):
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new()
            try:
                await self._take(step)
            except asyncio.CancelledError:
                await self._cancel()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._cancelled:
            raise asyncio.CancelledError
        return Outcome(
            thread_id=self.session.thread_id,
            status=self.session.status,
            reason=step.reason,
            position=self.session.position,
        )

    async def tell(self, request: Request) -> Learned:
        """Make the fact a person's request asks for; requests are told in the order they came in."""
        self._told += 1
        return await self._tell(f"request/{workflow.info().first_execution_run_id}/{self._told}", request)

    # -- one verb for each step ----------------------------------------------------------------

    async def _take(self, step: Step) -> None:
        match step:
            case CallModel():
                await self._until_stopped(self._call_model(step))
            case SettleCalls(calls):
                await self._until_stopped(self._settle(calls))
            case AwaitMessage(timeout):
                await self._await_message(step, timeout)
            case AwaitResume():
                await self._wait_while(step)
            case TripLimit(limit, allowed, used):
                await self._tell(f"trip/{limit}", Trip(limit=limit, allowed=allowed, used=used))
            case Finish(reason, summary):
                await self._tell("session/completed", Close(reason=reason, summary=summary))
            case Ended():
                raise AssertionError("the loop ends before this")
            case _:
                assert_never(step)

    async def _open(self, given: Sequence[Any]) -> None:
        try:
            self.session = await (self._recall(self._resumed) if self._resumed else self._begin(given))
        except ActivityError as error:
            kind, problem = _why(error)
            raise ApplicationError(problem, type=kind, non_retryable=True) from error
        self._known_up_to = self.session.position
        self._face.show(self.session)

    async def _begin(self, given: Sequence[Any]) -> Session:
        _check_thread_id()
        now = workflow.info().start_time
        opening = OpenSession(started_ms=milliseconds(now), started_at=now, start=_read_start(given))
        return await workflow.execute_activity_method(
            SessionActivities.open_session, opening, summary="open the session", **LOG
        )

    async def _recall(self, resumed: Resumed) -> Session:
        step = InThread(started_ms=resumed.started_ms)
        return await workflow.execute_activity_method(
            SessionActivities.recall_session, step, summary="recall the session", **LOG
        )

    async def _call_model(self, step: CallModel) -> None:
        model_step = ModelStep(started_ms=self.session.started_ms, step=step.step, at=step.at)
        try:
            learned = await workflow.execute_activity_method(
                ModelActivities.call_model, model_step, summary=f"model, turn {step.step}", **MODEL
            )
        except ActivityError as error:
            kind, problem = _why(error)
            if kind in LOG_AWAY:
                return
            await self._tell(f"model/{step.step}/outcome", GiveUpModel(step=step.step, kind=kind, problem=problem))
        else:
            self._learn(learned)

    async def _settle(self, calls: Sequence[PendingCall]) -> None:
        await asyncio.gather(*(self._settle_call(call.id) for call in calls))

    async def _settle_call(self, call_id: str) -> None:
        """Run the call, or wait for a person first, until it has its outcome."""
        while (call := self.session.pending.get(call_id)) is not None:
            if call.state == "asked":
                await self._await_answer(call)
            else:
                await workflow.wait_condition(lambda: not self.session.paused)
                await self._run_tool(call)
            if workflow.info().is_continue_as_new_suggested():
                return

    async def _run_tool(self, call: PendingCall) -> None:
        try:
            learned = await self._execute(call, self.session.tools.get(call.name))
        except FailureError as error:
            kind, problem = _why(error)
            if kind in LOG_AWAY:
                return
            key = f"call/{self.session.steps}/{call.id}/outcome"
            await self._tell(key, GiveUpTool(call_id=call.id, kind=kind, problem=problem))
        else:
            self._learn(learned)

    async def _execute(self, call: PendingCall, terms: ToolTerms | None) -> Learned:
        session = self.session
        step = ToolStep(started_ms=session.started_ms, step=session.steps, call=call.id, at=session.position)
        run, title = ToolActivities.run_tool, call.title
        if terms is not None and terms.quick:
            quick = quick_options(terms.timeout, terms.attempts)
            try:
                return await workflow.execute_local_activity_method(run, step, summary=title, **quick)
            except FailureError as error:  # a local activity's own, not wrapped
                if _why(error)[0] != CRASHED:
                    raise
        options = tool_options(terms.timeout, terms.attempts) if terms else tool_options(0, 1)
        return await workflow.execute_activity_method(run, step, summary=title, **options)

    async def _await_answer(self, call: PendingCall) -> None:
        """Wait until a person has decided; a question that nobody answers in time expires."""

        def answered() -> bool:
            now = self.session.pending.get(call.id)
            return now is None or now.state != "asked" or workflow.info().is_continue_as_new_suggested()

        left = call.expires_at - workflow.now() if call.expires_at else None
        try:
            await workflow.wait_condition(
                answered, timeout=_positive(left), timeout_summary=f"approval of {call.title}"
            )
        except TimeoutError:
            await self._tell(f"expire/{self.session.steps}/{call.id}", Expire(call_id=call.id))

    async def _await_message(self, step: AwaitMessage, timeout: float | None) -> None:
        try:
            await self._wait_while(step, timedelta(seconds=timeout) if timeout else None)
        except TimeoutError:
            summary = f"nobody said anything for {timeout:g} seconds"
            await self._tell("session/completed", Close(reason="timeout", summary=summary))

    # -- waiting and stopping ------------------------------------------------------------------

    async def _wait_while(self, step: Step, timeout: timedelta | None = None) -> None:
        """Wait until something else is to be done; `TimeoutError` where `timeout` comes before that."""

        def changed() -> bool:
            return self._next() != step or workflow.info().is_continue_as_new_suggested()

        left = self._time_left()
        try:
            await workflow.wait_condition(changed, timeout=_positive(_sooner(left, timeout)))
        except TimeoutError:
            if timeout is not None and (left is None or timeout < left):
                raise

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, but let go of it when the session is terminated or its time is over."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(
                lambda: task.done() or self.session.terminating, timeout=_positive(self._time_left())
            )
        except TimeoutError:
            pass
        finally:
            await _let_go(task)

    async def _cancel(self) -> None:
        """Somebody cancelled the workflow: end the session as if it had been terminated."""
        self._cancelled = True
        request = Terminate(by="temporal", reason="the workflow was cancelled")
        await self._tell(f"cancelled/{workflow.info().first_execution_run_id}", request)

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        resumed = Resumed(started_ms=self.session.started_ms, told=self._told)
        workflow.continue_as_new(args=[None, resumed])

    # -- what is known -------------------------------------------------------------------------

    async def _tell(self, key: str, request: Request) -> Learned:
        return await _to_the_end(self._tell_in_turn(key, request))

    async def _tell_in_turn(self, key: str, request: Request) -> Learned:
        await workflow.wait_condition(lambda: self.session.started)
        async with self._telling:
            learned = await workflow.execute_activity_method(
                SessionActivities.tell,
                Tell(started_ms=self.session.started_ms, key=key, request=request),
                summary=request.request,
                **LOG,
            )
            self._learn(learned)
        return learned

    def _learn(self, learned: Learned) -> None:
        for mark in learned.marks:
            if mark.position > self._known_up_to:
                self.session = evolve(self.session, mark.position, mark.event)
        self._face.show(self.session)

    def _next(self) -> Step:
        return next_step(self.session, workflow.now())

    def _time_left(self) -> timedelta | None:
        """Until the limit on the session's running time."""
        runtime, started_at = self.session.limits.runtime, self.session.started_at
        if runtime is None or started_at is None:
            return None
        return started_at + timedelta(seconds=runtime) - workflow.now()


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do this even where the workflow is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _let_go(task: asyncio.Task[None]) -> None:
    """Cancel what is not done yet, and wait until it really has stopped."""
    stopped = task.cancel()
    try:
        await task
    except (asyncio.CancelledError, FailureError) as error:
        if not (stopped and is_cancelled_exception(error)):
            raise


def _check_thread_id() -> None:
    try:
        thread_id(workflow.info().workflow_id)
    except InvalidName as error:
        raise ApplicationError(str(error), type="InvalidThreadId", non_retryable=True) from error


def _read_resumed(given: Sequence[Any]) -> Resumed | None:
    """What a run before this one left, where this one continues it."""
    match given:
        case [None, {"started_ms": int(), "told": int()} as resumed]:
            return Resumed.model_validate(resumed)
        case _:
            return None


def _read_start(given: Sequence[Any]) -> StartSession:
    if len(given) > 1:
        raise ApplicationError(f"one input is read, not {len(given)}", type="InvalidStart", non_retryable=True)
    try:
        return StartSession.model_validate(given[0] if given else None)
    except ValidationError as error:
        raise ApplicationError(mistakes(error), type="InvalidStart", non_retryable=True) from error


def _why(error: FailureError) -> tuple[str, str]:
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


def _sooner(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    given = [each for each in (one, other) if each is not None]
    return min(given) if given else None


def _positive(left: timedelta | None) -> timedelta | None:
    """A timer that is due already still needs a moment: zero would mean no wait at all."""
    return None if left is None else max(left, timedelta(milliseconds=1))
