"""The tool call: look, ask, intend, act, record."""

import time
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import takewhile
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.admission import Admission
from activities.attempt import Pulse, attempting
from activities.inquiries import put
from activities.journal import Author, Intent, Journal
from activities.leaves import Asked, Leaves
from activities.purse import NO_PRICES, Held, Purse
from activities.records import Records
from activities.retry import pause_before, try_again
from activities.rulings import Rulings, risk_of
from activities.spans import tool_span
from activities.steps import CRASHED, Learned, ToolStep
from activities.tokens import Tokens
from activities.underway import Underway
from activities.views import Views
from eventlog.events import (
    AnyEvent,
    ApprovalReused,
    PolicyDecided,
    SessionStarted,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UnknownEvent,
)
from eventlog.log import EntryRejected, EventLog
from eventlog.marks import Mark
from policy.judge import AUTHOR
from projections.evolution import SESSION
from projections.session import Session
from projections.tool_calls import TOOL_CALLS, OpenCall, StandingGrant, ToolCalls
from resilience.limits import Subject
from tools.context import ToolContext
from tools.toolbox import CHANGED, Failed, Planned, Question, Succeeded, Toolbox, ToolResult, Unplanned

UNKNOWN = (
    "The process that ran this call died before it could say what became of it. It may have happened or not. "
    "It was not run again."
)
DENIED = "denied_by_policy"
TOO_LATE = "It was not run: before it could begin, it had been given up or the session had been ended."

STANDSTILL = 4.0
"""Seconds after which somebody else may have taken this process for dead: half of the silence that makes them do so."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one call."""

    step: ToolStep
    call: OpenCall
    planned: Planned
    author: Author
    seen: int
    """The position up to which the stream was read when the call was looked up."""
    terms: SessionStarted | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An open call, as the stream's end has it."""

    call: OpenCall
    author: Author
    terms: SessionStarted | None
    spent: Decimal | None
    """US dollars for the session's replies so far."""
    standing: tuple[StandingGrant, ...] = ()
    """The thread's approvals that cover calls to come."""
    seen: int = -1
    """The position up to which the stream was read."""


class ToolActivities:
    """Runs tools on behalf of threads."""

    def __init__(
        self,
        log: EventLog,
        views: Views,
        toolbox: Toolbox,
        workspace: Path,
        tokens: Tokens,
        admission: Admission | None = None,
        purse: Purse | None = None,
    ) -> None:
        self._leaves = Leaves(toolbox, tokens)
        self._journal = Journal(log, views)
        self._purse = purse or Purse(self._journal, views, NO_PRICES)
        self._views = views
        self._toolbox = toolbox
        self._workspace = workspace
        self._admission = admission or Admission()
        self._underway = Underway()
        self._rulings = Rulings(self._purse.price_of)

    @activity.defn
    async def run_tool(self, step: ToolStep) -> Learned:
        """Bring the call to its outcome, or to the question a person must answer first."""
        with attempting() as pulse:
            key = (step.stream, step.step, step.call)
            return await self._underway.bring_to_end(key, partial(self._run_tool, step, pulse))

    async def _run_tool(self, step: ToolStep, pulse: Pulse) -> Learned:
        found = await self._look(step, step.at if activity.info().attempt == 1 else None)
        if found is None:
            return await self._recall(step)
        call = found.call
        _refuse_endless_crashes(call)
        plan = self._toolbox.plan(call.name, call.arguments_to_run, call.allowed)
        if isinstance(plan, Unplanned):
            return await self._settle(step, _not_made(found, Failed(plan.kind, plan.problem)), found.author)
        if _has_drifted(plan, found.terms):
            return await self._settle(step, _not_made(found, Failed("tool_changed", CHANGED)), found.author)
        found, decided = await self._decide(step, found, plan)
        if decided is not None and decided.decision == "deny":
            return await self._settle(step, _failed(call, Failed(DENIED, decided.reason)), found.author)
        question = self._asked(plan, decided, found)
        if question is not None:
            asked = Asked(call, plan, question, decided, found.terms, found.standing)
            cleared = await self._cleared(step, found, asked)
            if isinstance(cleared, Learned):
                return cleared
            found, call = cleared, cleared.call
        if plan.inquiry is not None:
            return await self._settle(step, put(call, plan.inquiry), found.author, "inquired")
        if rest := await self._admission.tool(_subject(step, call, found.author), _ticket(step)):
            return Learned(rest=rest)
        return await self._execute(Attempt(step, call, plan, found.author, found.seen, found.terms), pulse)

    async def _decide(self, step: ToolStep, found: Found, planned: Planned) -> tuple[Found, PolicyDecided | None]:
        """What the session's policy says, decided once and recorded before anything follows from it.

        What was decided stands, whatever the clock says now; other arguments, as an approver may put in the place of
        the model's, are decided anew. A call that is begun was decided before.
        """
        call, decided = found.call, found.call.decided
        if found.terms is None or found.terms.policy is None or call.intent is not None:
            return found, None
        if decided is not None and decided.digest == planned.digest:
            return found, decided
        ruling = self._rulings.rule(found.terms, call, planned, found.spent)
        if ruling is None:
            return found, None
        key = _key(step, f"policy/{planned.digest}")
        written = await self._journal.settle(step, key, ruling, found.author)
        following = found.author.because(self._journal.id_of(step, key))
        seen = written.position if written.position == found.seen + 1 else found.seen
        recorded = written.event if isinstance(written.event, PolicyDecided) else ruling
        return replace(found, author=following, seen=seen), recorded

    def _asked(self, planned: Planned, decided: PolicyDecided | None, found: Found) -> Question | None:
        """What a person must be asked: what the tool's author wants asked, in the policy's words where it asks too."""
        question = planned.question
        if decided is None or decided.decision != "ask":
            return question
        if question is not None:
            return question if decided.layer == AUTHOR else replace(question, reason=decided.reason)
        title = self._toolbox.title(planned.name, planned.arguments)
        return Question(title, decided.reason, risk_of(found.terms, planned.name) or "medium")

    async def _look(self, step: ToolStep, least: int | None = None) -> Found | None:
        """The call as the stream has it at its end, or at least as far as the process knows the stream.

        None where the call is not open, that is, may have its outcome.
        """

        def see(calls: ToolCalls) -> Found | None:
            call = calls.open.get(step.call)
            if call is None or call.step != step.step:
                return None
            author = Author(calls.tenant, calls.principal, call.cause)
            return Found(call, author, calls.terms, calls.spent, calls.standing)

        found = await self._views.read(TOOL_CALLS, step.stream, see, least=least)
        return None if found.value is None else replace(found.value, seen=found.position)

    async def _recall(self, step: ToolStep) -> Learned:
        """The outcome that the log has already."""
        known = await self._journal.find(step, _key(step, "outcome"))
        if known is None:
            raise ApplicationError(f"no call {step.call!r} is open", type="NoSuchCall", non_retryable=True)
        return Learned(marks=(Mark.of(known.position, known.event),))

    async def _cleared(self, step: ToolStep, found: Found, asked: Asked) -> Found | Learned:
        """The call as soon as nothing is missing for it to run; or that a person is asked, or cannot be."""
        key = _key(step, "asked")
        event_id = self._journal.id_of(step, key)
        match self._leaves.needed(asked, event_id):
            case None:
                return found
            case Failed() as failed:
                return await self._settle(step, _failed(found.call, failed), found.author)
            case needed:
                written = await self._journal.settle(step, key, needed, found.author)
        if not isinstance(written.event, ApprovalReused):
            return Learned(marks=(written.mark,))
        call = replace(found.call, cleared=True, digest=written.event.digest)
        seen = written.position if written.position == found.seen + 1 else found.seen
        return replace(found, call=call, author=found.author.because(event_id), seen=seen)

    async def _execute(self, attempt: Attempt, pulse: Pulse) -> Learned:
        """Intend, act, record; or, where an earlier attempt has acted perhaps, find out what is right now."""
        if _changed_since_asked(attempt):
            problem = "the tool has changed since the approval was given, so that it no longer covers this call"
            return await self._settle(
                attempt.step, _failed(attempt.call, Failed("approval_mismatch", problem)), attempt.author
            )
        looked = time.monotonic()
        held = await self._afford(attempt)
        if isinstance(held, Learned):
            return held
        intent = await self._intend(attempt)
        attempt = replace(attempt, author=attempt.author.because(intent.id))
        if not _is_next(intent, attempt):
            found = await self._look(attempt.step)
            if found is None:
                await self._purse.never_happened(held)
                return await (self._give_up(attempt) if intent.fresh else self._recall(attempt.step))
            if not intent.fresh:
                _refuse_endless_crashes(found.call)
        if await self._is_too_late(attempt, intent, time.monotonic() - looked):
            await self._purse.never_happened(held)
            return await self._give_up(attempt)
        began = time.monotonic()
        result = await self._act(attempt, intent, pulse)
        await self._purse.ran(held)
        return await self._record(attempt, result, round((time.monotonic() - began) * 1000))

    async def _afford(self, attempt: Attempt) -> Held | Learned | None:
        """Set aside what the attempt costs; one that only finds out what became of an earlier one costs nothing."""
        begun = attempt.call.intent is not None
        if attempt.terms is None or (begun and attempt.planned.effect == "unsafe"):
            return None
        ahead: tuple[str, ...] = ()
        if attempt.terms.limits.cost is not None:
            see = partial(_ahead, attempt.call.id)
            ahead = (await self._views.read(TOOL_CALLS, attempt.step.stream, see, least=attempt.seen)).value
        wanted = (*ahead, attempt.planned.name)
        return await self._purse.before_tool(attempt.step, attempt.terms, wanted, attempt.author, begun=begun)

    async def _intend(self, attempt: Attempt) -> Intent:
        event = ToolExecutionRequested(
            call_id=attempt.call.id,
            tool_name=attempt.call.name,
            arguments=attempt.planned.arguments,
            digest=attempt.planned.digest,
            effect=attempt.planned.effect,
            cost_usd=self._purse.price_of(attempt.call.name),
        )
        return await self._journal.intend(attempt.step, _key(attempt.step, "intent"), event, attempt.author)

    async def _is_too_late(self, attempt: Attempt, intent: Intent, took: float) -> bool:
        """Whether the call was given up or settled, or its session ended, while its intent was being declared.

        A process may stand still there for as long as it likes, also when the intent stands already. Nearly always
        nothing was written in between, as the intent's position tells, and no time has passed: then nothing is read.
        """
        if not intent.fresh or attempt.planned.effect != "unsafe":
            return False
        if _is_next(intent, attempt) and took < STANDSTILL:
            return False

        def see(session: Session) -> bool:
            ended = session.terminating or session.exceeded or session.completed is not None
            return bool(ended) or attempt.call.id not in session.pending or session.steps != attempt.step.step

        return (await self._views.read(SESSION, attempt.step.stream, see)).value

    async def _give_up(self, attempt: Attempt) -> Learned:
        """The outcome that stands already, or that it was not run."""
        return await self._settle(attempt.step, _failed(attempt.call, Failed("too_late", TOO_LATE)), attempt.author)

    async def _act(self, attempt: Attempt, intent: Intent, pulse: Pulse) -> ToolResult | None:
        """The tool's result; None where nobody can know it."""
        records = Records(partial(self._write, attempt))
        context = self._context(attempt, intent, pulse, records)
        with tool_span(attempt.planned, attempt.call.id) as span:
            again = intent.fresh or attempt.planned.effect != "unsafe"
            make = self._toolbox.run if again else self._toolbox.reconcile
            try:
                result = await make(attempt.planned, context)
            finally:
                records.close()
            span.tell(result)
        await records.written()
        return result

    async def _write(self, attempt: Attempt, key: str, event: UnknownEvent) -> None:
        """Write what the tool recorded, but for secrets; where an attempt before said otherwise, its word stands."""
        event = event.model_copy(update={"data": self._toolbox.strike(event.data)})
        written = await self._journal.settle(attempt.step, _key(attempt.step, f"event/{key}"), event, attempt.author)
        if written.event != event:
            told = {"call_id": attempt.call.id, "event_type": event.type_name, "position": written.position}
            activity.logger.warning("recorded_otherwise_before", extra=told)

    def _context(self, attempt: Attempt, intent: Intent, pulse: Pulse, records: Records) -> ToolContext:
        return ToolContext(
            thread_id=attempt.step.thread_id,
            call_id=attempt.call.id,
            tenant=attempt.author.tenant,
            principal=attempt.author.principal,
            idempotency_key=str(intent.id),
            attempt=max(activity.info().attempt, 1 if intent.fresh else 2),
            workspace=self._workspace,
            heartbeat=pulse.note,
            record=records.take,
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


def _subject(step: ToolStep, call: OpenCall, author: Author) -> Subject:
    """The call, as far as limits are concerned."""
    return Subject(author.tenant, step.thread_id, tool=call.name)


def _ahead(call_id: str, calls: ToolCalls) -> tuple[str, ...]:
    """The tools of calls that may be about to begin: those before this one in its reply, and those that are retried."""
    before = {call.id for call in takewhile(lambda call: call.id != call_id, calls.open.values())}
    others = (call for call in calls.open.values() if call.id != call_id)
    return tuple(call.name for call in others if call.failures or (call.intent is None and call.id in before))


def _ticket(step: ToolStep) -> str:
    """The call, as it stands in a queue."""
    return f"{step.thread_id}/{step.step}/{step.call}"


def _key(step: ToolStep, what: str) -> str:
    return f"call/{step.step}/{step.call}/{what}"


def _refuse_endless_crashes(call: OpenCall) -> None:
    """Where the process died under a quick call, the next one begins with attempt 1 again, for ever."""
    info = activity.info()
    if info.is_local and info.attempt == 1 and call.intent is not None:
        raise ApplicationError(f"the worker died under {call.title}", type=CRASHED, non_retryable=True)


def _is_next(intent: Intent, attempt: Attempt) -> bool:
    """Whether the intent, new, stands right after what was read: then nothing was written since, and no outcome."""
    return intent.fresh and intent.position == attempt.seen + 1


def _changed_since_asked(attempt: Attempt) -> bool:
    """Whether an approval was given for other arguments than would be run, and not by the approver's own edit."""
    call = attempt.call
    allowed = call.ballot.digest if call.ballot.asked_at >= 0 else call.digest
    before_digests_were_kept = call.edited is not None and allowed == call.ballot.asked_digest
    return call.cleared and allowed != attempt.planned.digest and not before_digests_were_kept


def _has_drifted(planned: Planned, terms: SessionStarted | None) -> bool:
    """Whether another program's tool is not what the session agreed to when it began."""
    agreed = {each.name: each.digest for each in terms.tools} if terms else {}
    return planned.agreed is not None and agreed.get(planned.name) != planned.agreed


def _not_made(found: Found, failed: Failed) -> ToolExecutionFailed | ToolExecutionOutcomeUnknown:
    """The outcome of a call that cannot be made: once an unsafe one was begun, nobody knows what became of it."""
    call, terms = found.call, found.terms.tools if found.terms else ()
    unsafe = all(each.effect == "unsafe" for each in terms if each.name == call.name)
    return _unknown(call, f"{UNKNOWN} {failed.problem}") if call.intent and unsafe else _failed(call, failed)


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
