"""The agent, told as a process. START HERE after `projections/next_step.py`."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar, assert_never

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TemporalTimeout

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.model import ModelActivities
    from activities.session import SessionActivities
    from activities.steps import CRASHED, InThread, Learned, ModelStep, OpenSession, StopStep, Tell, ToolStep
    from activities.stopping import StoppingActivities
    from activities.tools import ToolActivities
    from eventlog.streams import InvalidName, thread_id
    from eventlog.terms import CompletionReason, ToolTerms
    from llm.messages import Frozen
    from projections.breakpoints import Point, due
    from projections.next_step import (
        AwaitMessage,
        AwaitRaise,
        AwaitResume,
        AwaitReview,
        CallModel,
        Ended,
        Finish,
        PutUp,
        SettleCalls,
        Step,
        StopAt,
        StopCalls,
        TripLimit,
        next_step,
    )
    from projections.requests import (
        Close,
        Expire,
        GiveUpBudget,
        GiveUpModel,
        GiveUpTool,
        Reach,
        Request,
        ReviewAnswer,
        Skip,
        StartSession,
        Steer,
        Terminate,
        Trip,
    )
    from projections.session import PendingCall, Session, Status, evolve, milliseconds
    from projections.steering import INTERRUPTED
    from projections.stopping import DROPPED, drops_model_call, skips_calls, stops_calls, why_stopped
    from workflows.doors import Doors, mistakes
    from workflows.face import Face
    from workflows.options import LOG, LOG_AWAY, MODEL, STOPPING, quick_options, tool_options

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
        self._reached = 0
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
                await self._tell_of_drop(step)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._cancelled:
            raise asyncio.CancelledError
        return Outcome(
            thread_id=self.session.thread_id,
            status=self.session.status,
            reason=step.reason,
            position=self.session.position,
        )

    @property
    def is_telling(self) -> bool:
        """Whether a fact is being made, so that the log may know more than the session."""
        return self._telling.locked()

    async def tell(self, request: Request) -> Learned:
        """Make the fact a person's request asks for; requests are told in the order they came in."""
        self._told += 1
        learned = await self._tell(f"request/{workflow.info().first_execution_run_id}/{self._told}", request)
        if isinstance(request, Steer):
            await self._skip_calls()
        return learned

    # -- one verb for each step ----------------------------------------------------------------

    async def _take(self, step: Step) -> None:
        match step:
            case CallModel():
                await self._until_stopped(self._call_model(step), lambda: drops_model_call(self.session, step.at))
                await self._tell_of_drop(step)
            case SettleCalls(calls):
                await self._skip_calls()
                await self._until_stopped(self._settle(calls), lambda: stops_calls(self.session))
            case StopCalls(calls):
                for call in calls:
                    await self._stop_call(call)
            case StopAt(point):
                await self._stop_at(point)
            case AwaitMessage(timeout):
                await self._await_message(step, timeout)
            case AwaitResume():
                await self._wait_while(step)
            case TripLimit(limit, allowed, used, tool):
                again = f"/{self.session.raised_at}" if self.session.raised_at >= 0 else ""
                await self._tell(f"trip/{limit}{again}", Trip(limit=limit, allowed=allowed, used=used, tool=tool))
            case AwaitRaise():
                await self._await_raise(step)
            case PutUp():
                expires_at = workflow.now() + timedelta(seconds=step.timeout)
                await self._tell(f"review/{step.step}", ReviewAnswer(step=step.step, expires_at=expires_at))
            case AwaitReview(question):
                await self._until_stopped(self._await_answer(question), lambda: stops_calls(self.session))
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
            if kind in LOG_AWAY or drops_model_call(self.session, step.at):
                return
            await self._tell(f"model/{step.step}/outcome", GiveUpModel(step=step.step, kind=kind, problem=problem))
        else:
            self._learn(learned)
            await self._rest(learned)

    async def _settle(self, calls: Sequence[PendingCall]) -> None:
        await asyncio.gather(*(self._settle_call(call.id) for call in calls))

    async def _settle_call(self, call_id: str) -> None:
        """Run the call, or wait for a person first, until it has its outcome."""
        while (call := self.session.pending.get(call_id)) is not None and not stops_calls(self.session):
            if call.waits:
                await self._await_answer(call)
            else:
                await workflow.wait_condition(lambda: not self.session.paused)
                if (question := self.session.budget) is not None:
                    await self._await_raise(AwaitRaise(question.position, question.expires_at))
                if self.session.budget is not None or self.session.exceeded:
                    return
                if (point := due(self.session)) is not None:
                    await self._stop_at(point)
                elif call_id in self.session.pending:
                    await self._run_tool(call)
            if workflow.info().is_continue_as_new_suggested():
                return

    async def _run_tool(self, call: PendingCall) -> None:
        try:
            learned = await self._execute(call, self.session.tools.get(call.name))
        except FailureError as error:
            kind, problem = _why(error)
            if kind in LOG_AWAY or stops_calls(self.session):
                return
            key = f"call/{self.session.steps}/{call.id}/outcome"
            await self._tell(key, GiveUpTool(call_id=call.id, kind=kind, problem=problem))
        else:
            self._learn(learned)
            await self._rest(learned)

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
            now = self.session.question(call.id)
            return now is None or not now.waits or workflow.info().is_continue_as_new_suggested()

        left = call.expires_at - workflow.now() if call.expires_at else None
        try:
            await workflow.wait_condition(
                answered, timeout=_positive(left), timeout_summary=f"approval of {call.title}"
            )
        except TimeoutError:
            level = call.ballot.level
            key = f"expire/{self.session.steps}/{call.id}" + (f"/{level}" if level else "")
            await self._tell(key, Expire(call_id=call.id, level=level, at=workflow.now()))

    async def _await_message(self, step: AwaitMessage, timeout: float | None) -> None:
        try:
            await self._wait_while(step, timedelta(seconds=timeout) if timeout else None)
        except TimeoutError:
            summary = f"nobody said anything for {timeout:g} seconds"
            await self._tell("session/completed", Close(reason="timeout", summary=summary))

    async def _await_raise(self, step: AwaitRaise) -> None:
        """Wait until a person has allowed more or said no; a question that nobody answers in time is a no."""
        left = step.expires_at - workflow.now() if step.expires_at else None
        try:
            await workflow.wait_condition(
                lambda: self._next() != step or workflow.info().is_continue_as_new_suggested(),
                timeout=_positive(left),
                timeout_summary="the question about the budget",
            )
        except TimeoutError:
            await self._tell(f"budget/expired/{step.asked_at}", GiveUpBudget(asked_at=step.asked_at))

    # -- waiting and stopping ------------------------------------------------------------------

    async def _rest(self, learned: Learned) -> None:
        """Wait for what keeps a step from being done; no worker holds anything meanwhile."""
        if learned.rest is not None:
            await workflow.sleep(learned.rest.seconds, summary=f"waits for {learned.rest.what}")

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

    async def _stop_at(self, point: Point) -> None:
        """Record that the session has come to a point, and so pause it."""
        self._reached += 1
        request = Reach(
            breakpoint=point.breakpoint, when=point.when, step=point.step, tools=point.tools, calls=point.calls
        )
        await self._tell(f"reach/{workflow.info().run_id}/{self._reached}", request)

    async def _tell_of_drop(self, step: Step) -> None:
        """A model call that was dropped has its outcome like any other."""
        if isinstance(step, CallModel) and drops_model_call(self.session, step.at) and self.session.steps < step.step:
            given_up = GiveUpModel(step=step.step, kind=INTERRUPTED, problem=DROPPED)
            await self._tell(f"model/{step.step}/outcome", given_up)

    async def _skip_calls(self) -> None:
        """Do not run what is not begun, where somebody said something that comes first."""
        for call_id in tuple(self.session.pending) if skips_calls(self.session) else ():
            await self._tell(f"call/{self.session.steps}/{call_id}/outcome", Skip(call_id=call_id))

    async def _stop_call(self, call: PendingCall) -> None:
        """The outcome of a call that was stopped, unless it has another."""
        kind = "terminated" if self.session.terminating else INTERRUPTED
        problem, terms = why_stopped(self.session, call), self.session.tools.get(call.name)
        if terms is not None and terms.cleanup and not call.waits:
            await self._clean_up(call, terms, kind, problem)
        if call.id not in self.session.pending:
            return
        given_up = GiveUpTool(call_id=call.id, kind=kind, problem=problem)
        await self._tell(f"call/{self.session.steps}/{call.id}/outcome", given_up)

    async def _clean_up(self, call: PendingCall, terms: ToolTerms, kind: str, problem: str) -> None:
        """Have the tool clean up after the call; where even that fails, the call has its outcome without it."""
        step = StopStep(
            started_ms=self.session.started_ms,
            step=self.session.steps,
            call=call.id,
            kind=kind,
            problem=problem,
            unsafe=terms.effect == "unsafe",
        )
        work = workflow.execute_activity_method(
            StoppingActivities.stop_call, step, summary=f"stop {call.title}", **STOPPING
        )
        try:
            self._learn(await _to_the_end(work))
        except ActivityError as error:
            _why(error)

    async def _until_stopped(self, work: Coroutine[Any, Any, None], stops: Callable[[], bool]) -> None:
        """Do the work, but let go of it when it is to stop, the session is terminated or its time is over."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(
                lambda: task.done() or self.session.terminating or bool(self.session.exceeded) or stops(),
                timeout=_positive(self._time_left()),
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
                Tell.of(self.session.started_ms, key, request),
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
        if runtime is None or started_at is None or self.session.budget is not None:
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
