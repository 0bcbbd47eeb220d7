"""Which facts a request makes: `decide(session, request)` answers with the events to append.

A request that comes too late, twice or for nothing makes no fact but the record that it was ignored. The caller
appends with the session's position as the expected version, so that of two answers to one question only one counts.
"""

from typing import assert_never

from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMCallFailed,
    RequestIgnored,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionTerminationRequested,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    UnknownEvent,
    UserMessageAdded,
)
from projections import steering_decisions as steered
from projections.budget_decisions import answered, expired, not_raisable, tripped
from projections.process_requests import (
    Close,
    Expire,
    GiveUpBudget,
    GiveUpModel,
    GiveUpTool,
    Reach,
    ReviewAnswer,
    Skip,
    Trip,
)
from projections.requests import (
    Answer,
    Approve,
    ClearBreakpoint,
    Deny,
    Interrupt,
    Pause,
    RaiseBudget,
    Record,
    Reject,
    Request,
    Resume,
    Say,
    SetBreakpoint,
    Steer,
    StepOnce,
    Terminate,
)
from projections.review import FINAL, QUESTION
from projections.session import CallState, PendingCall, Session
from projections.voting import NOT_LOOKED_AT, NOTHING_SHOWN, Proof, approved, lapsed, refuses_answer, refuses_expiry


def refusal(session: Session, request: Request, proof: Proof = NOT_LOOKED_AT) -> str | None:
    """Why the request cannot be done, in words for its sender; None where it can, as far as the session knows."""
    if session.completed is not None:
        return f"the session has ended ({session.completed})"
    match request:
        case Approve() | Deny():
            return _not_waiting(session, request.call_id, "asked") or refuses_answer(session, request, proof)
        case Answer():
            return _not_waiting(session, request.call_id, "inquired") or _not_meant(session, request)
        case Expire():
            problem = _not_waiting(session, request.call_id, "asked", "inquired")
            return problem or refuses_expiry(_question(session, request.call_id), request)
        case Pause():
            return "the session is paused already" if session.paused else None
        case Resume():
            return None if session.paused or session.stalled or session.held else "the session is not paused"
        case Terminate():
            return "the session is ending already" if session.terminating else None
        case GiveUpTool():
            return None if request.call_id in session.pending else "the call has its outcome already"
        case GiveUpModel():
            return None if request.step > session.steps else "the step has its outcome already"
        case ReviewAnswer():
            return _not_due(session, request)
        case Trip() if session.budget is not None:
            return f"a person is being asked about the limit on {session.budget.limit}"
        case Trip():
            return f"the limit on {session.exceeded} was reached before" if session.exceeded else None
        case RaiseBudget():
            return not_raisable(session, request)
        case GiveUpBudget():
            waits = session.budget is not None and session.budget.position == request.asked_at
            return None if waits else "the question about the budget was answered"
        case Reject():
            return request.problem
        case Close(reason="success") if session.held:
            return "the session was interrupted"
        case Close(reason="timeout") if session.held:
            return None
        case Interrupt() | Steer() | StepOnce() | SetBreakpoint() | ClearBreakpoint() | Reach() | Skip():
            return steered.refuses(session, request)
        case Close(reason="success" | "timeout"):
            return "something was said that has no answer yet" if session.owes_reply and not session.stalled else None
        case Say() | Record() | Close():
            return None
        case _:
            assert_never(request)


def _not_waiting(session: Session, call_id: str, *states: CallState) -> str | None:
    call = session.question(call_id)
    if call is None:
        waiting = ", ".join(call.id for call in session.waiting_for_answer) or "none"
        return f"no call {call_id!r} waits for an answer (waiting: {waiting})"
    if call.state not in states and call.waits:
        how = "answer it" if call.state == "inquired" else "approve or deny it"
        return f"call {call_id!r} waits for something else: {how}"
    if call.state not in states:
        return f"call {call_id!r} is not waiting for an answer: it is {call.state}"
    return None


def decide(session: Session, request: Request, proof: Proof = NOTHING_SHOWN) -> AnyEvent | None:
    """The fact this request makes of the session; None where the process asks for what is so already.

    `proof` is what the worker has found out of an approver's answer.
    """
    problem = refusal(session, request, proof)
    if problem is not None:
        return _ignored(request, problem)
    return _granted(session, request, proof)


def _granted(session: Session, request: Request, proof: Proof) -> AnyEvent | None:
    match request:
        case Say():
            return UserMessageAdded(message=request.message, attachments=request.attachments, sender=request.sender)
        case Approve():
            return approved(session, request, proof)
        case Deny():
            return ApprovalDenied(call_id=request.call_id, approver=request.approver, reason=request.reason)
        case Answer():
            return _answered(_question(session, request.call_id), request)
        case Expire():
            return _lapsed(_question(session, request.call_id), request)
        case ReviewAnswer():
            return HumanInputRequested(
                call_id=FINAL, action="review", question=QUESTION, step=request.step, expires_at=request.expires_at
            )
        case Pause():
            return SessionPaused(by=request.by, reason=request.reason)
        case Resume():
            return SessionResumed(by=request.by)
        case Terminate():
            return SessionTerminationRequested(by=request.by, reason=request.reason, orderly=True)
        case Interrupt() | Steer() | StepOnce() | SetBreakpoint() | ClearBreakpoint() | Reach() | Skip():
            return steered.steering_fact(session, request)
        case Record():
            return UnknownEvent(type_name=request.type, data=request.data, schema_version=request.version or 1)
        case Trip():
            return tripped(session, request)
        case RaiseBudget():
            return answered(session, request)
        case GiveUpBudget():
            return expired()
        case GiveUpModel():
            return LLMCallFailed(
                step=request.step,
                kind=request.kind,
                error_message=request.problem,
                retry_count=session.failures,
                will_retry=False,
            )
        case GiveUpTool():
            return _given_up(session, request)
        case Close():
            return SessionCompleted(completion_reason=request.reason, summary=request.summary)
        case Reject():
            return None
        case _:
            assert_never(request)


def _not_meant(session: Session, request: Answer) -> str | None:
    asked_at = _question(session, request.call_id).inquired_at
    if request.position in (None, asked_at):
        return None
    return f"what is asked now stands at position {asked_at}, not {request.position}: look at it again"


def _question(session: Session, call_id: str) -> PendingCall:
    """The question that was found to wait."""
    question = session.question(call_id)
    if question is None:
        raise LookupError(f"no question {call_id!r} waits")
    return question


def _lapsed(call: PendingCall, request: Expire) -> AnyEvent:
    if call.state == "inquired":
        return HumanInputExpired(call_id=call.id, step=call.step)
    return lapsed(call, request)


def _not_due(session: Session, request: ReviewAnswer) -> str | None:
    """Why the final answer is not put up for review now; None where it is due."""
    undue = session.review is None or session.open_review is not None
    if undue or request.step != session.steps or session.owes_reply:
        return "no final answer is to be reviewed now"
    return None


def _answered(call: PendingCall, request: Answer) -> HumanInputProvided:
    """The answer as it was given; whoever has the question at hand says what it means."""
    return HumanInputProvided(
        call_id=call.id,
        action=call.action or "input",
        by=request.by,
        value=request.value,
        comment=request.comment,
        step=call.step,
    )


def _given_up(session: Session, request: GiveUpTool) -> AnyEvent:
    call = session.pending[request.call_id]
    terms = session.tools.get(call.name)
    if call.state == "begun" and (terms is None or terms.effect == "unsafe"):
        return ToolExecutionOutcomeUnknown(
            call_id=call.id, tool_name=call.name, explanation=f"it was begun and never reported back: {request.problem}"
        )
    return ToolExecutionFailed(
        call_id=call.id, tool_name=call.name, kind=request.kind, error_message=request.problem, retry_count=0
    )


def _ignored(request: Request, problem: str) -> AnyEvent | None:
    match request:
        case Approve() | Deny():
            return RequestIgnored(
                request=request.request, by=request.approver, problem=problem, call_id=request.call_id
            )
        case Answer():
            return RequestIgnored(request=request.request, by=request.by, problem=problem, call_id=request.call_id)
        case Say():
            return RequestIgnored(request=request.request, by=request.sender, problem=problem)
        case Pause() | Resume() | Terminate() | Record():
            return RequestIgnored(request=request.request, by=request.by, problem=problem)
        case Interrupt() | Steer() | StepOnce() | SetBreakpoint() | ClearBreakpoint() | Reach() | Skip():
            by = steered.told_by(request)
            return RequestIgnored(request=request.request, by=by, problem=problem) if by is not None else None
        case Reject():
            return RequestIgnored(request=request.name, by="unknown", problem=problem)
        case RaiseBudget(elsewhere=None):
            return RequestIgnored(request=request.request, by=request.by, problem=problem)
        case (
            ReviewAnswer() | Expire() | Trip() | GiveUpBudget() | GiveUpModel() | GiveUpTool() | Close() | RaiseBudget()
        ):
            return None
        case _:
            assert_never(request)
