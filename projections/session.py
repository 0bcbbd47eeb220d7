"""The session's state, folded from thin events alone: all that the process knows of its thread.

The workflow folds the marks its activities return, everyone else folds the stream; `evolve` reads no content, so
both see the same session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, assert_never, get_args

from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    BudgetExceeded,
    ErrorOccurred,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    PolicyDecided,
    RequestIgnored,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
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
from eventlog.marks import thin_terms
from eventlog.terms import CompletionReason, Limits, Mode, ToolTerms
from projections.codec import json_codec
from projections.fold import Projection, changed

Status = Literal["running", "waiting", "paused", "completed", "failed", "terminated"]
CallState = Literal["wanted", "asked", "granted", "begun"]
"""wanted by the model → asked of a person → granted → begun (its intent is in the log)."""
_RANKS: Mapping[CallState, int] = {state: rank for rank, state in enumerate(get_args(CallState))}

CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons of replies that broke off: their tool calls may be incomplete and are never run."""
ENDS_BADLY: Mapping[str, str] = {
    "refusal": "the model refused to answer",
    "model_context_window_exceeded": "the conversation no longer fits into the model's context window",
}
"""Stop reasons after which asking again with the same words cannot help."""


@dataclass(frozen=True)
class PendingCall:
    """A tool call without an outcome."""

    id: str
    name: str
    title: str
    state: CallState = "wanted"
    question: str = ""
    digest: str = ""
    """Of the arguments a person is asked about."""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Session:
    """Where a session stands after the event at `position`."""

    position: int = -1
    thread_id: str = ""
    started_at: datetime | None = None
    tenant: str = "default"
    principal: str = "anonymous"
    mode: Mode = "task"
    limits: Limits = field(default_factory=Limits)
    idle_timeout: float | None = None
    tools: Mapping[str, ToolTerms] = field(default_factory=dict)
    pending: Mapping[str, PendingCall] = field(default_factory=dict)
    """Calls without an outcome, by id, in call order."""
    messages: int = 0
    """User messages."""
    turns: int = 0
    """Replies received."""
    tool_calls: int = 0
    """Calls asked for by the model."""
    tokens: int = 0
    steps: int = 0
    """Model calls that came to an end, well or badly."""
    failures: int = 0
    """Attempts at the current step that failed."""
    heard: int = -1
    """Position of the last user message."""
    answered: int = -1
    """The position up to which the last reply had read."""
    paused_turn: bool = False
    """The provider paused the last reply and goes on with it in the next one, before it reads anything else."""
    unfinished: bool = False
    """The last reply wants another call: it used tools, was cut off, or its answer was not taken."""
    nudges: int = 0
    """Replies in a row that brought nothing forward."""
    prompted: int = -1
    """Position of the last message or resumption."""
    failure: str = ""
    """Why the model could not be asked, at `failed_at`."""
    failed_at: int = -1
    bad_end: str = ""
    """Why the last reply is no answer, and asking again would be no use."""
    paused: bool = False
    exceeded: str = ""
    """The limit that was reached."""
    terminating: bool = False
    completed: CompletionReason | None = None

    @property
    def started(self) -> bool:
        """Whether the stream has its beginning."""
        return self.started_at is not None

    @property
    def started_ms(self) -> int:
        """The start in milliseconds of Unix time: the head of every event id of this thread."""
        return milliseconds(self.started_at) if self.started_at else 0

    @property
    def waiting_for_answer(self) -> tuple[PendingCall, ...]:
        """The calls a person must decide."""
        return tuple(call for call in self.pending.values() if call.state == "asked")

    @property
    def owes_reply(self) -> bool:
        """Whether the model has something to react to."""
        return self.unfinished or self.heard > self.answered

    @property
    def stalled(self) -> str:
        """Why nothing more comes from the model until a person does something."""
        if self.failed_at > self.prompted:
            return self.failure
        return "" if self.owes_reply else self.bad_end

    @property
    def status(self) -> Status:
        """The session in one word."""
        if self.completed is not None:
            return _ENDED[self.completed]
        if self.paused:
            return "paused"
        idle = self.mode == "chat" and (bool(self.stalled) or not self.owes_reply) and not self.pending
        return "waiting" if self.waiting_for_answer or (idle and self.started) else "running"


def milliseconds(time: datetime) -> int:
    """Unix time in milliseconds."""
    return int(time.timestamp() * 1000)


_ENDED: Mapping[CompletionReason, Status] = {
    "success": "completed",
    "timeout": "completed",
    "failure": "failed",
    "limit": "failed",
    "terminated": "terminated",
}


def evolve(session: Session, position: int, event: AnyEvent) -> Session:
    """The session after one more event; thin or whole makes no difference.

    Facts that do not depend on each other (outcomes of parallel calls, a message and a reply) may come in any order:
    the session is the same.
    """
    after, furthest = _after(session, position, event), max(position, session.position)
    if after is session:
        return changed(session, position=furthest)
    after.__dict__["position"] = furthest  # nobody has seen it yet: a second copy would cost as much as the first
    return after


def _after(session: Session, position: int, event: AnyEvent) -> Session:
    match event:  # what happens most comes first: most of the time goes into finding the case
        case LLMCallRequested():
            return session
        case LLMResponseReceived():
            return _replied(session, event)
        case ToolExecutionRequested():
            return _with_call(session, event.call_id, state="begun")
        case ToolExecutionFailed(will_retry=True):
            return session
        case (
            ToolExecutionCompleted()
            | ToolExecutionFailed()
            | ToolExecutionOutcomeUnknown()
            | ApprovalDenied()
            | ApprovalExpired()
        ):
            return _without_call(session, event.call_id)
        case UserMessageAdded():
            heard, prompted = max(position, session.heard), max(position, session.prompted)
            return changed(session, messages=session.messages + 1, heard=heard, prompted=prompted)
        case ApprovalRequested():
            return _with_call(
                session,
                event.call_id,
                state="asked",
                question=event.question,
                digest=event.digest,
                expires_at=event.expires_at,
            )
        case ApprovalGranted():
            return _with_call(session, event.call_id, state="granted")
        case LLMCallFailed():
            return _model_failed(session, position, event)
        case SessionStarted():
            return _begun(session, event)
        case SessionPaused():
            return changed(session, paused=True)
        case SessionResumed():
            return changed(session, paused=False, prompted=max(position, session.prompted))
        case SessionTerminationRequested():
            return changed(session, terminating=True)
        case BudgetExceeded():
            return changed(session, exceeded=event.limit)
        case SessionCompleted():
            return changed(session, completed=event.completion_reason)
        case PolicyDecided() | ErrorOccurred() | RequestIgnored() | StreamRepaired() | UnknownEvent():
            return session
        case _:
            assert_never(event)


def _begun(session: Session, event: SessionStarted) -> Session:
    return changed(
        session,
        thread_id=event.thread_id,
        started_at=event.started_at,
        tenant=event.tenant,
        principal=event.principal,
        mode=event.mode,
        limits=event.limits,
        idle_timeout=event.idle_timeout,
        tools={terms.name: thin_terms(terms) for terms in event.tools},
    )


def runnable_calls(event: LLMResponseReceived) -> tuple[ToolCall, ...]:
    """The calls of a reply that are to be made: none of one that broke off or was refused."""
    return () if event.stop_reason in CUT_OFF or event.stop_reason in ENDS_BADLY else event.tool_calls


def _replied(session: Session, event: LLMResponseReceived) -> Session:
    """The session after a reply; one that comes after its step was given up is none."""
    if event.step <= session.steps:
        return session
    runnable = runnable_calls(event)
    forward = event.final or bool(runnable) or event.stop_reason == "pause_turn"
    return changed(
        session,
        turns=session.turns + 1,
        steps=event.step,
        failures=0,
        tokens=session.tokens + event.token_usage.total,
        tool_calls=session.tool_calls + len(runnable),
        answered=session.answered if session.paused_turn else event.at,
        paused_turn=event.stop_reason == "pause_turn" and not runnable,
        unfinished=not event.final,
        bad_end=ENDS_BADLY.get(event.stop_reason, ""),
        nudges=0 if forward else session.nudges + 1,
        pending={call.id: PendingCall(call.id, call.name, call.title) for call in runnable},
    )


def _model_failed(session: Session, position: int, event: LLMCallFailed) -> Session:
    if event.step <= session.steps:
        return session
    if event.will_retry:
        return changed(session, failures=session.failures + 1)
    failure = f"the model could not be asked: {event.kind}"
    return changed(session, steps=event.step, failures=0, failure=failure, failed_at=position)


def _with_call(session: Session, call_id: str, state: CallState, **details: Any) -> Session:
    """The session with a call brought forward; what is late never brings it back."""
    call = session.pending.get(call_id)
    if call is None:
        return session
    furthest = state if _RANKS[state] > _RANKS[call.state] else call.state
    return changed(session, pending={**session.pending, call_id: changed(call, state=furthest, **details)})


def _without_call(session: Session, call_id: str) -> Session:
    pending = {id_: call for id_, call in session.pending.items() if id_ != call_id}
    return changed(session, pending=pending)


def _evolve_recorded(session: Session, recorded: Recorded) -> Session:
    if recorded.position <= session.position:
        return session
    return evolve(session, recorded.position, recorded.event)


SESSION: Projection[Session] = Projection("session", 1, Session, _evolve_recorded, json_codec(Session))
