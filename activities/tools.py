"""The tool call: look, ask, intend, act, record."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import Pulse, attempting
from activities.journal import Author, Intent, Journal
from activities.retry import pause_before, try_again
from activities.spans import tool_span
from activities.steps import CRASHED, Learned, ToolStep
from activities.views import Views
from eventlog.events import (
    AnyEvent,
    ApprovalRequested,
    Mark,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
)
from eventlog.log import EntryRejected, EventLog
from projections.tool_calls import TOOL_CALLS, OpenCall, ToolCalls
from tools.context import ToolContext
from tools.toolbox import Failed, Planned, Question, Succeeded, Toolbox, ToolResult, Unplanned

UNKNOWN = (
    "The process that ran this call died before it could say what became of it. It may have happened or not. "
    "It was not run again."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one call."""

    step: ToolStep
    call: OpenCall
    planned: Planned
    author: Author


class ToolActivities:
    """Runs tools on behalf of threads."""

    def __init__(self, log: EventLog, views: Views, toolbox: Toolbox, workspace: Path) -> None:
        self._journal = Journal(log)
        self._views = views
        self._toolbox = toolbox
        self._workspace = workspace

    @activity.defn
    async def run_tool(self, step: ToolStep) -> Learned:
        """Bring the call to its outcome, or to the question a person must answer first."""
        async with attempting() as pulse:
            return await self._run_tool(step, pulse)

    async def _run_tool(self, step: ToolStep, pulse: Pulse) -> Learned:
        known = await self._journal.find(step, _key(step, "outcome"))
        if known is not None:
            return Learned(marks=(Mark.of(known.position, known.event),))
        call, author = await self._look(step)
        _refuse_endless_crashes(call)
        plan = self._toolbox.plan(call.name, call.arguments_to_run, call.allowed)
        if isinstance(plan, Unplanned):
            return await self._settle(step, _failed(call, Failed(plan.kind, plan.problem)), author)
        if plan.question is not None and call.approver is None:
            return await self._question(step, call, plan, plan.question, author)
        return await self._execute(Attempt(step, call, plan, author), pulse)

    async def _look(self, step: ToolStep) -> tuple[OpenCall, Author]:
        def see(calls: ToolCalls) -> tuple[OpenCall, Author]:
            call = calls.open.get(step.call)
            if call is None:
                raise ApplicationError(f"no call {step.call!r} is open", type="NoSuchCall", non_retryable=True)
            return call, Author(calls.tenant, calls.principal, call.cause)

        return (await self._views.read(TOOL_CALLS, step.stream, see)).value

    async def _question(
        self, step: ToolStep, call: OpenCall, planned: Planned, question: Question, author: Author
    ) -> Learned:
        event = ApprovalRequested(
            call_id=call.id,
            tool_name=call.name,
            arguments=planned.arguments,
            digest=planned.digest,
            question=question.text,
            reason=question.reason,
            risk=question.risk,
            expires_at=datetime.now(UTC) + timedelta(seconds=call.approval_timeout),
        )
        return await self._settle(step, event, author, "asked")

    async def _execute(self, attempt: Attempt, pulse: Pulse) -> Learned:
        """Intend, act, record; or, where an earlier attempt has acted perhaps, find out what is right now."""
        if _changed_since_asked(attempt):
            problem = "the tool has changed since the approval was given, so that it no longer covers this call"
            return await self._settle(
                attempt.step, _failed(attempt.call, Failed("approval_mismatch", problem)), attempt.author
            )
        intent = await self._intend(attempt)
        attempt = Attempt(attempt.step, attempt.call, attempt.planned, attempt.author.because(intent.id))
        began = time.monotonic()
        result = await self._act(attempt, intent, pulse)
        return await self._record(attempt, result, round((time.monotonic() - began) * 1000))

    async def _intend(self, attempt: Attempt) -> Intent:
        event = ToolExecutionRequested(
            call_id=attempt.call.id,
            tool_name=attempt.call.name,
            arguments=attempt.planned.arguments,
            digest=attempt.planned.digest,
            effect=attempt.planned.effect,
        )
        return await self._journal.intend(attempt.step, _key(attempt.step, "intent"), event, attempt.author)

    async def _act(self, attempt: Attempt, intent: Intent, pulse: Pulse) -> ToolResult | None:
        """The tool's result; None where nobody can know it."""
        context = self._context(attempt, intent.id, pulse)
        with tool_span(attempt.planned, attempt.call.id) as span:
            again = intent.fresh or attempt.planned.effect != "unsafe"
            make = self._toolbox.run if again else self._toolbox.reconcile
            result = await make(attempt.planned, context)
            span.tell(result)
        return result

    def _context(self, attempt: Attempt, intent: UUID, pulse: Pulse) -> ToolContext:
        return ToolContext(
            thread_id=attempt.step.thread_id,
            call_id=attempt.call.id,
            tenant=attempt.author.tenant,
            principal=attempt.author.principal,
            idempotency_key=str(intent),
            attempt=activity.info().attempt,
            workspace=self._workspace,
            heartbeat=pulse.note,
        )

    async def _record(self, attempt: Attempt, result: ToolResult | None, duration_ms: int) -> Learned:
        match result:
            case None:
                return await self._settle(attempt.step, _unknown(attempt.call, UNKNOWN), attempt.author)
            case Failed(happened=None) if attempt.planned.effect == "unsafe":
                return await self._settle(attempt.step, _unknown(attempt.call, result.problem), attempt.author)
            case Failed():
                await self._retry(attempt, result)
                return await self._settle(attempt.step, _failed(attempt.call, result), attempt.author)
            case Succeeded():
                return await self._complete(attempt, result, duration_ms)

    async def _complete(self, attempt: Attempt, result: Succeeded, duration_ms: int) -> Learned:
        event = ToolExecutionCompleted(
            call_id=attempt.call.id,
            tool_name=attempt.call.name,
            result=result.result,
            execution_time_ms=duration_ms,
        )
        try:
            return await self._settle(attempt.step, event, attempt.author)
        except EntryRejected as error:
            failure = Failed("result_rejected", f"it ran, but its result cannot be kept: {error}")
            return await self._settle(attempt.step, _failed(attempt.call, failure), attempt.author)

    async def _retry(self, attempt: Attempt, failed: Failed) -> None:
        """Record the failure and have the activity run again, while the call's attempts last."""
        failures = attempt.call.failures
        if not failed.retry or failures + 1 >= attempt.planned.attempts or not await self._is_open(attempt):
            return
        event = _failed(attempt.call, failed).model_copy(update={"will_retry": True})
        await self._journal.settle(attempt.step, _key(attempt.step, f"failure/{failures}"), event, attempt.author)
        raise try_again(failed.kind, failed.problem, pause_before(failures, failed.retry_after))

    async def _is_open(self, attempt: Attempt) -> bool:
        """Whether nobody has settled the call while this attempt was at it, perhaps taken for dead."""
        call, stream = attempt.call.id, attempt.step.stream
        return (await self._views.read(TOOL_CALLS, stream, lambda calls: call in calls.open)).value

    async def _settle(self, step: ToolStep, event: AnyEvent, author: Author, what: str = "outcome") -> Learned:
        written = await self._journal.settle(step, _key(step, what), event, author)
        return Learned(marks=(written.mark,))


def _key(step: ToolStep, what: str) -> str:
    return f"call/{step.step}/{step.call}/{what}"


def _refuse_endless_crashes(call: OpenCall) -> None:
    """Where the process died under a quick call, the next one begins with attempt 1 again, for ever."""
    info = activity.info()
    if info.is_local and info.attempt == 1 and call.intent is not None:
        raise ApplicationError(f"the worker died under {call.title}", type=CRASHED, non_retryable=True)


def _changed_since_asked(attempt: Attempt) -> bool:
    """Whether an approval was given for other arguments than would be run, and not by the approver's own edit."""
    call = attempt.call
    return call.approver is not None and call.edited is None and call.digest != attempt.planned.digest


def _failed(call: OpenCall, failed: Failed) -> ToolExecutionFailed:
    return ToolExecutionFailed(
        call_id=call.id,
        tool_name=call.name,
        kind=failed.kind,
        error_message=failed.problem,
        retry_count=call.failures,
    )


def _unknown(call: OpenCall, explanation: str) -> ToolExecutionOutcomeUnknown:
    return ToolExecutionOutcomeUnknown(call_id=call.id, tool_name=call.name, explanation=explanation)
