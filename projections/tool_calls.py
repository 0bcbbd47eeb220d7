"""The tool calls of the last reply: their arguments, and how far each has come towards its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID

from eventlog.approval_terms import ApprovalTerms, Standing
from eventlog.events import (
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    BreakpointCleared,
    BreakpointReached,
    BreakpointSet,
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    BudgetWarned,
    ErrorOccurred,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    LoopDetected,
    ModelChanged,
    PolicyDecided,
    RequestIgnored,
    SessionCompleted,
    SessionInterrupted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
    SessionStepped,
    SessionTerminationRequested,
    StreamRepaired,
    ToolCall,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UnknownEvent,
    UserMessageAdded,
)
from eventlog.log import Recorded
from eventlog.metadata import Metadata
from llm.messages import JsonObject
from projections.ballot import UNASKED, Ballot
from projections.codec import json_codec
from projections.evolution import runnable_calls
from projections.fold import Projection, changed
from projections.session import CallState


@dataclass(frozen=True)
class OpenCall:
    """A tool call without an outcome."""

    id: str
    name: str
    title: str
    arguments: JsonObject
    """As the model gave them."""
    step: int
    """The model call that asked for it."""
    reply: UUID
    """The id of the reply that asked for it."""
    cause: UUID
    """The id of the newest event about it: what comes next follows from that."""
    allowed: tuple[str, ...]
    """The tools the session may use."""
    approval_timeout: float
    """Seconds a question about it waits for its answer."""
    state: CallState = "wanted"
    digest: str = ""
    """Of the arguments a person was asked about."""
    expires_at: datetime | None = None
    approver: str | None = None
    """Who allowed it, as the last of those who had to."""
    cleared: bool = False
    """Whether it may run: somebody allowed it, now or before, or nobody had to answer."""
    ballot: Ballot = UNASKED
    """How the question about it is to be answered, and who has allowed it so far."""
    token_sha256: str | None = None
    """Of the token that an answer must show."""
    edited: JsonObject | None = None
    """The arguments the approver put in the place of the model's."""
    intent: Metadata | None = None
    """Who declared that it is about to be made: run, activity and attempt."""
    failures: int = 0
    """Attempts that failed and may be followed by another."""
    decided: PolicyDecided | None = None
    """What the session's policy said of it last."""

    @property
    def arguments_to_run(self) -> JsonObject:
        """The approver's arguments where there are any, else the model's."""
        return self.arguments if self.edited is None else self.edited


@dataclass(frozen=True, slots=True)
class StandingGrant:
    """An approval that covers calls to come as well."""

    position: int
    """Of the ApprovalGranted."""
    tool: str
    digest: str
    """Of the arguments that were allowed."""
    standing: Standing
    approvers: tuple[str, ...]
    """Who allowed it."""
    terms: ApprovalTerms
    """Under which it was given."""


@dataclass(frozen=True)
class ToolCalls:
    """The calls of the last reply after the event at `position`."""

    position: int = -1
    terms: SessionStarted | None = None
    step: int = 0
    """The last model call that came to an end."""
    open: Mapping[str, OpenCall] = field(default_factory=dict)
    """Calls without an outcome, by id, in call order."""
    latest: tuple[ToolCall, ...] = ()
    """All calls of the last reply."""
    spent: Decimal | None = Decimal(0)
    """US dollars for all replies so far; None where the price of one is not known."""
    standing: tuple[StandingGrant, ...] = ()
    """Approvals that cover calls to come as well."""

    @property
    def tenant(self) -> str:
        """On whose behalf the agent acts."""
        return self.terms.tenant if self.terms else "default"

    @property
    def principal(self) -> str:
        """Who started the session."""
        return self.terms.principal if self.terms else "anonymous"

    @property
    def started_at(self) -> datetime | None:
        """When the session started."""
        return self.terms.started_at if self.terms else None


def latest_arguments(tool_calls: ToolCalls) -> dict[str, JsonObject]:
    """The arguments of the last reply's calls by tool; of two calls of one tool the later counts."""
    return {call.name: call.arguments for call in tool_calls.latest}


def evolve(calls: ToolCalls, recorded: Recorded) -> ToolCalls:
    """The calls, one event further."""
    if recorded.position <= calls.position:
        return calls
    return changed(_after(calls, recorded), position=recorded.position)


def _after(calls: ToolCalls, recorded: Recorded) -> ToolCalls:
    match event := recorded.event:
        case SessionStarted():
            return changed(calls, terms=event)
        case LLMResponseReceived():
            return _replied(changed(calls, spent=_sum(calls.spent, event.cost_usd)), recorded.id, event)
        case LLMCallFailed(will_retry=False):
            return changed(calls, step=max(calls.step, event.step))
        case ModelChanged():
            terms = calls.terms and calls.terms.model_copy(update={"model": event.model})
            return changed(calls, terms=terms)
        case PolicyDecided():
            return _with_call(calls, recorded.id, event.call_id, decided=event)
        case ApprovalRequested():
            return _asked(calls, recorded, event)
        case ApprovalVoted():
            return _voted(calls, recorded, event)
        case ApprovalGranted():
            return _granted(calls, recorded, event)
        case ApprovalEscalated():
            return _escalated(calls, recorded, event)
        case ApprovalExpired(action="allow"):
            return _with_call(calls, recorded.id, event.call_id, state="granted", cleared=True)
        case ApprovalReused():
            cleared = {"cleared": True, "digest": event.digest}
            return _with_call(calls, recorded.id, event.call_id, state="granted", **cleared)
        case HumanInputRequested():
            return _with_call(calls, recorded.id, event.call_id, state="inquired", expires_at=event.expires_at)
        case ToolExecutionRequested():
            return _with_call(calls, recorded.id, event.call_id, state="begun", intent=recorded.metadata)
        case ToolExecutionFailed(will_retry=True):
            failures = calls.open[event.call_id].failures + 1 if event.call_id in calls.open else 0
            return _with_call(calls, recorded.id, event.call_id, failures=failures)
        case (
            ToolExecutionCompleted()
            | ToolExecutionFailed()
            | ToolExecutionOutcomeUnknown()
            | ApprovalDenied()
            | ApprovalExpired()
            | HumanInputProvided()
            | HumanInputExpired()
        ):
            return changed(calls, open={id_: call for id_, call in calls.open.items() if id_ != event.call_id})
        case (
            UserMessageAdded()
            | LLMCallRequested()
            | LLMCallFailed()
            | SessionInterrupted()
            | SessionStepped()
            | BreakpointSet()
            | BreakpointCleared()
            | BreakpointReached()
            | SessionPaused()
            | SessionResumed()
            | SessionTerminationRequested()
            | SessionCompleted()
            | BudgetExceeded()
            | BudgetRaised()
            | BudgetRefused()
            | BudgetWarned()
            | LoopDetected()
            | ErrorOccurred()
            | RequestIgnored()
            | StreamRepaired()
            | UnknownEvent()
        ):
            return calls
        case _:
            assert_never(event)


def _asked(calls: ToolCalls, recorded: Recorded, event: ApprovalRequested) -> ToolCalls:
    call = calls.open.get(event.call_id)
    ballot = (call.ballot if call else UNASKED).asked(recorded.position, event)
    asked = {"digest": event.digest, "expires_at": event.expires_at, "token_sha256": event.token_sha256}
    return _with_call(calls, recorded.id, event.call_id, state="asked", ballot=ballot, **asked)


def _voted(calls: ToolCalls, recorded: Recorded, event: ApprovalVoted) -> ToolCalls:
    call = calls.open.get(event.call_id)
    if call is None:
        return calls
    edited = call.edited if event.edited_arguments is None else event.edited_arguments
    ballot = call.ballot.voted(recorded.position, event)
    return _with_call(calls, recorded.id, event.call_id, ballot=ballot, edited=edited)


def _granted(calls: ToolCalls, recorded: Recorded, event: ApprovalGranted) -> ToolCalls:
    call = calls.open.get(event.call_id)
    if call is None:
        return calls
    ballot = call.ballot.granted(recorded.position, event)
    leave = {"approver": event.approver, "edited": event.edited_arguments, "cleared": True, "ballot": ballot}
    after = _with_call(calls, recorded.id, event.call_id, state="granted", **leave)
    if event.remember is None:
        return after
    grant = StandingGrant(
        recorded.position, call.name, event.edited_digest or event.digest, event.remember, ballot.names, ballot.terms
    )
    return changed(after, standing=(*calls.standing, grant))


def _escalated(calls: ToolCalls, recorded: Recorded, event: ApprovalEscalated) -> ToolCalls:
    call = calls.open.get(event.call_id)
    ballot = (call.ballot if call else UNASKED).escalated(event)
    later = {"expires_at": event.expires_at, "token_sha256": event.token_sha256}
    return _with_call(calls, recorded.id, event.call_id, ballot=ballot, **later)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _replied(calls: ToolCalls, reply: UUID, event: LLMResponseReceived) -> ToolCalls:
    if event.step <= calls.step:
        return calls
    runnable = runnable_calls(event)
    opened = {call.id: _opened(calls.terms, event.step, reply, call) for call in runnable}
    return changed(calls, step=event.step, open=opened, latest=runnable)


def _opened(terms: SessionStarted | None, step: int, reply: UUID, call: ToolCall) -> OpenCall:
    return OpenCall(
        id=call.id,
        name=call.name,
        title=call.title,
        arguments=call.arguments,
        step=step,
        reply=reply,
        cause=reply,
        allowed=tuple(tool.name for tool in terms.tools) if terms else (),
        approval_timeout=terms.approval_timeout if terms else 0.0,
    )


def _with_call(calls: ToolCalls, cause: UUID, call_id: str, **changes: Any) -> ToolCalls:
    call = calls.open.get(call_id)
    if call is None:
        return calls
    return changed(calls, open={**calls.open, call_id: changed(call, cause=cause, **changes)})


TOOL_CALLS: Projection[ToolCalls] = Projection("tool_calls", 3, ToolCalls, evolve, json_codec(ToolCalls))
