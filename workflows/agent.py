"""The agent, told as a process. START HERE after `projections/next_step.py`."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, assert_never

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.model import ModelActivities
    from activities.session import SessionActivities
    from activities.steps import CRASHED, InThread, Learned, ModelStep, OpenSession, ToolStep
    from activities.tools import ToolActivities
    from eventlog.streams import InvalidName, thread_id
    from eventlog.terms import CompletionReason, ToolTerms
    from llm.messages import Frozen
    from projections.breakpoints import due
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
    )
    from projections.process_requests import (
        Close,
        GiveUpModel,
        GiveUpTool,
        ReviewAnswer,
        Trip,
    )
    from projections.requests import (
        Request,
        StartSession,
        Steer,
        Terminate,
    )
    from projections.session import PendingCall, Session, Status, milliseconds
    from projections.stopping import drops_model_call, stops_calls
    from workflows.doors import mistakes
    from workflows.options import LOG, LOG_AWAY, MODEL, quick_options, tool_options
    from workflows.stopping import Stopping
    from workflows.tasks import to_the_end, why


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
class AgentWorkflow(Stopping):
    """One session, from its first message to its end.

    The loop asks `next_step` of the folded session what to do and does it, until nothing is left to do. Steps are
    activities; each answers with marks, content-free copies of the events it wrote, and folding them is all this
    workflow ever learns. Whoever wants something of the session comes through its `Doors`, and becomes a fact too.
    """

    @workflow.init
    def __init__(self, *given: Any) -> None:
        super().__init__()
        self._resumed = _read_resumed(given)
        self._told = self._resumed.told if self._resumed else 0
        self._cancelled = False

    @workflow.run
    async def run(self, *given: Any) -> Outcome:
        """Open the session and take one step after another. It is given a `StartSession`, or what a run before left."""
        try:
            await to_the_end(self._open(given))
        except asyncio.CancelledError:
            await self._cancel()
        while not isinstance(step := self._next(), Ended):
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new()
            try:
                await (self._until_told() if self._is_to_stop() else self._take(step))
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

    async def tell(self, request: Request) -> Learned:
        """Make the fact a person's request asks for; requests are told in the order they came in."""
        self._told += 1
        with self._heard(request):
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
            self._know(await (self._recall(self._resumed) if self._resumed else self._begin(given)))
        except ActivityError as error:
            kind, problem = why(error)
            raise ApplicationError(problem, type=kind, non_retryable=True) from error

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
            kind, problem = why(error)
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
                if self._is_to_stop():
                    await self._until_told()
                    continue
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
            kind, problem = why(error)
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
                if why(error)[0] != CRASHED:
                    raise
        options = tool_options(terms.timeout, terms.attempts) if terms else tool_options(0, 1)
        return await workflow.execute_activity_method(run, step, summary=title, **options)

    # -- how it ends and goes on ---------------------------------------------------------------

    async def _cancel(self) -> None:
        """Somebody cancelled the workflow: end the session as if it had been terminated."""
        self._cancelled = True
        request = Terminate(by="temporal", reason="the workflow was cancelled")
        await self._tell(f"cancelled/{workflow.info().first_execution_run_id}", request)

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        resumed = Resumed(started_ms=self.session.started_ms, told=self._told)
        workflow.continue_as_new(args=[None, resumed])


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
