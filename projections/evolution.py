"""How each event changes the session: the one place where facts become state.

The workflow folds the marks its activities return, everyone else folds the stream; `evolve` reads no content, so
both see the same session.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from eventlog.events import (
    AnyEvent,
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
from eventlog.marks import thin_terms
from projections import steering
from projections.ballot import Ballot
from projections.budget_question import asked, raised, reached
from projections.codec import json_codec
from projections.fold import Projection, changed
from projections.review import Review
from projections.session import RANKS, CallState, PendingCall, Session
from projections.steering import INTERRUPTED, Steering

CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons of replies that broke off: their tool calls may be incomplete and are never run."""
ENDS_BADLY: Mapping[str, str] = {
    "refusal": "the model refused to answer",
    "model_context_window_exceeded": "the conversation no longer fits into the model's context window",
}
"""Stop reasons after which asking again with the same words cannot help."""


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
            return _replied(session, position, event)
        case ToolExecutionRequested():
            return _with_call(session, event.call_id, state="begun")
        case ToolExecutionFailed(will_retry=True):
            return session
        case HumanInputRequested(step=int()) | HumanInputProvided(step=int()) | HumanInputExpired(step=int()):
            return _reviewed(session, position, event)
        case (
            ToolExecutionCompleted()
            | ToolExecutionFailed()
            | ToolExecutionOutcomeUnknown()
            | ApprovalDenied()
            | ApprovalExpired(action="deny")
            | HumanInputProvided()
            | HumanInputExpired()
        ):
            return _without_call(session, position, event.call_id)
        case HumanInputRequested():
            return _with_call(
                session,
                event.call_id,
                state="inquired",
                question=event.question,
                expires_at=event.expires_at,
                action=event.action,
                inquired_at=position,
            )
        case UserMessageAdded():
            heard, prompted = max(position, session.heard), max(position, session.prompted)
            steered = steering.steered(session.steering, position) if event.steering else session.steering
            return changed(session, messages=session.messages + 1, heard=heard, prompted=prompted, steering=steered)
        case ApprovalRequested():
            return _asked(session, position, event)
        case ApprovalVoted():
            return _with_ballot(session, event.call_id, lambda ballot: ballot.voted(position, event))
        case ApprovalGranted():
            after = _with_ballot(session, event.call_id, lambda ballot: ballot.granted(position, event))
            return _with_call(after, event.call_id, state="granted")
        case ApprovalEscalated():
            return _escalated(session, event)
        case ApprovalExpired() | ApprovalReused():
            return _with_call(session, event.call_id, state="granted")
        case LLMCallFailed():
            return _model_failed(session, position, event)
        case SessionStarted():
            return _begun(session, event)
        case SessionPaused():
            return changed(session, paused=True)
        case SessionResumed():
            return _resumed(session, position, steering.resumed(session.steering))
        case SessionStepped():
            return _resumed(session, position, steering.stepped(session.steering, position))
        case SessionInterrupted():
            return changed(session, steering=steering.interrupted(session.steering, position))
        case BreakpointSet():
            now = {**session.steering.breakpoints, **steering.armed((event.breakpoint,), position)}
            return changed(session, steering=changed(session.steering, breakpoints=now))
        case BreakpointCleared():
            return changed(session, steering=steering.disarmed(session.steering, event.breakpoint))
        case BreakpointReached():
            return _stopped(session, event)
        case SessionTerminationRequested():
            return _ending(changed(session, terminating=True), orderly=event.orderly)
        case BudgetExceeded():
            return _exceeded(session, position, event)
        case BudgetRaised():
            limits = session.limits if event.account else raised(session.limits, event.more)
            return _answered(session, position, limits=limits)
        case BudgetRefused() if session.budget is not None:
            refused = _answered(session, position, exceeded=session.budget.limit, reached=session.budget.reached)
            return _ending(refused, orderly=True)
        case ModelChanged():
            return changed(session, failed_before=session.failures)
        case BudgetWarned() | BudgetRefused():
            return session
        case LoopDetected():
            return _circling(session, position, event)
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
        review=Review(event.approval_timeout) if event.review else None,
        tools={terms.name: thin_terms(terms) for terms in event.tools},
        steering=Steering(breakpoints=steering.armed(event.breakpoints, 0)),
    )


def _asked(session: Session, position: int, event: ApprovalRequested) -> Session:
    """The session with a question; one that was escalated before it was heard of keeps its later time."""
    call = session.pending.get(event.call_id)
    if call is None:
        return session
    expires_at = call.expires_at if call.ballot.level else event.expires_at
    about = {"question": event.question, "digest": event.digest, "expires_at": expires_at}
    return _with_call(session, call.id, state="asked", ballot=call.ballot.asked(position, event), **about)


def _escalated(session: Session, event: ApprovalEscalated) -> Session:
    call = session.pending.get(event.call_id)
    if call is None or event.level <= call.ballot.level:
        return session
    later = {"ballot": call.ballot.escalated(event), "expires_at": event.expires_at}
    return _with_call(session, call.id, state=call.state, **later)


def _with_ballot(session: Session, call_id: str, after: Callable[[Ballot], Ballot]) -> Session:
    call = session.pending.get(call_id)
    return session if call is None else _with_call(session, call_id, state=call.state, ballot=after(call.ballot))


def _resumed(session: Session, position: int, steered: Steering) -> Session:
    return changed(session, paused=False, prompted=max(position, session.prompted), steering=steered)


def _stopped(session: Session, event: BreakpointReached) -> Session:
    """The session paused at a point; the calls it was stopped before do not stop it a second time."""
    pending = {
        id_: changed(call, stopped=True) if id_ in event.calls else call for id_, call in session.pending.items()
    }
    return changed(session, paused=True, pending=pending, steering=steering.reached(session.steering, event))


def _circling(session: Session, position: int, event: LoopDetected) -> Session:
    """The session going round in circles; a person's word that came after it stands."""
    words = steering.in_circles(event)
    match event.stage:
        case "told":
            return session
        case "asked" if session.prompted > position:
            return session
        case "asked":
            return changed(session, paused=True, steering=changed(session.steering, stop=words))
        case "ended":
            return changed(session, failure=words, failed_at=max(position, session.failed_at))


def _exceeded(session: Session, position: int, event: BudgetExceeded) -> Session:
    """The session at a limit; a question that was answered before it was heard of is none."""
    match event.action:
        case "end":
            at_limit = changed(session, exceeded=event.limit, reached=reached(event))
            return _ending(at_limit, orderly=event.orderly)
        case "ask":
            return changed(session, budget=asked(position, event)) if position > session.raised_at else session
        case "degrade":
            return session


def _ending(session: Session, *, orderly: bool) -> Session:
    """The session that is to end; in order, where anybody said so."""
    return changed(session, steering=changed(session.steering, orderly=orderly or session.steering.orderly))


def _answered(session: Session, position: int, **changes: Any) -> Session:
    still = session.budget if session.budget is not None and session.budget.position > position else None
    return changed(session, budget=still, raised_at=max(position, session.raised_at), **changes)


def _reviewed(
    session: Session, position: int, event: HumanInputRequested | HumanInputProvided | HumanInputExpired
) -> Session:
    """The session after a word on its final answer; one that is sent back is like a message."""
    review = session.review
    if review is None:
        return session
    match event:
        case HumanInputRequested():
            return changed(session, review=review.asked(position, event))
        case HumanInputExpired():
            return changed(session, review=review.expired())
        case HumanInputProvided(verdict="send_back"):
            heard, prompted = max(position, session.heard), max(position, session.prompted)
            return changed(session, review=review.provided(event), heard=heard, prompted=prompted)
        case HumanInputProvided():
            return changed(session, review=review.provided(event))


def runnable_calls(event: LLMResponseReceived) -> tuple[ToolCall, ...]:
    """The calls of a reply that are to be made: none of one that broke off or was refused."""
    return () if event.stop_reason in CUT_OFF or event.stop_reason in ENDS_BADLY else event.tool_calls


def _replied(session: Session, position: int, event: LLMResponseReceived) -> Session:
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
        failed_before=0,
        tokens=session.tokens + event.token_usage.total,
        tool_calls=session.tool_calls + len(runnable),
        calls_of=_counted(session, runnable),
        answered=session.answered if session.paused_turn else event.at,
        paused_turn=event.stop_reason == "pause_turn" and not runnable,
        unfinished=not event.final,
        bad_end=ENDS_BADLY.get(event.stop_reason, ""),
        nudges=0 if forward else session.nudges + 1,
        pending={call.id: PendingCall(call.id, call.name, call.title) for call in runnable},
        steering=steering.replied(session.steering, position, event, [call.name for call in runnable]),
    )


def _counted(session: Session, calls: Sequence[ToolCall]) -> Mapping[str, int]:
    """The calls so far of each tool whose calls are limited."""
    if not session.limits.tools:
        return session.calls_of
    names = [call.name for call in calls]
    return {name: session.calls_of.get(name, 0) + names.count(name) for name in session.limits.tools}


def _model_failed(session: Session, position: int, event: LLMCallFailed) -> Session:
    if event.step <= session.steps:
        return session
    if event.will_retry:
        return changed(session, failures=session.failures + 1)
    if event.kind == INTERRUPTED:
        return changed(session, steps=event.step, failures=0, failed_before=0)
    failure = f"the model could not be asked: {event.kind}"
    return changed(session, steps=event.step, failures=0, failed_before=0, failure=failure, failed_at=position)


def _with_call(session: Session, call_id: str, state: CallState, **details: Any) -> Session:
    """The session with a call brought forward; what is late never brings it back."""
    call = session.pending.get(call_id)
    if call is None:
        return session
    furthest = state if RANKS[state] > RANKS[call.state] else call.state
    return changed(session, pending={**session.pending, call_id: changed(call, state=furthest, **details)})


def _without_call(session: Session, position: int, call_id: str) -> Session:
    if call_id not in session.pending:
        return session
    pending = {id_: call for id_, call in session.pending.items() if id_ != call_id}
    return changed(session, pending=pending, steering=steering.settled(session.steering, position))


def _evolve_recorded(session: Session, recorded: Recorded) -> Session:
    if recorded.position <= session.position:
        return session
    return evolve(session, recorded.position, recorded.event)


SESSION: Projection[Session] = Projection("session", 1, Session, _evolve_recorded, json_codec(Session))
