"""Which facts a request makes: `decide(session, request)` answers with the events to append.

A request that comes too late, twice or for nothing makes no fact but the record that it was ignored. The caller
appends with the session's position as the expected version, so that of two answers to one question only one counts.
"""

from typing import assert_never

from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    BudgetExceeded,
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
from projections.requests import (
    Approve,
    Close,
    Deny,
    Expire,
    GiveUpModel,
    GiveUpTool,
    Pause,
    Record,
    Reject,
    Request,
    Resume,
    Say,
    Terminate,
    Trip,
)
from projections.session import Session


def refusal(session: Session, request: Request) -> str | None:
    """Why the request cannot be done, in words for its sender; None where it can."""
    if session.completed is not None:
        return f"the session has ended ({session.completed})"
    match request:
        case Approve() | Deny() | Expire():
            return _not_asked(session, request.call_id)
        case Pause():
            return "the session is paused already" if session.paused else None
        case Resume():
            return None if session.paused or session.stalled else "the session is not paused"
        case Terminate():
            return "the session is ending already" if session.terminating else None
        case GiveUpTool():
            return None if request.call_id in session.pending else "the call has its outcome already"
        case GiveUpModel():
            return None if request.step > session.steps else "the step has its outcome already"
        case Trip():
            return f"the limit on {session.exceeded} was reached before" if session.exceeded else None
        case Reject():
            return request.problem
        case Close(reason="success" | "timeout"):
            return "something was said that has no answer yet" if session.owes_reply and not session.stalled else None
        case Say() | Record() | Close():
            return None
        case _:
            assert_never(request)


def _not_asked(session: Session, call_id: str) -> str | None:
    call = session.pending.get(call_id)
    if call is None:
        waiting = ", ".join(call.id for call in session.waiting_for_answer) or "none"
        return f"no call {call_id!r} waits for an answer (waiting: {waiting})"
    if call.state != "asked":
        return f"call {call_id!r} is not waiting for an answer: it is {call.state}"
    return None


def decide(session: Session, request: Request) -> AnyEvent | None:
    """The fact this request makes of the session; None where the process asks for what is so already."""
    problem = refusal(session, request)
    if problem is not None:
        return _ignored(request, problem)
    return _granted(session, request)


def _granted(session: Session, request: Request) -> AnyEvent | None:
    match request:
        case Say():
            return UserMessageAdded(message=request.message, attachments=request.attachments, sender=request.sender)
        case Approve():
            return ApprovalGranted(
                call_id=request.call_id,
                digest=session.pending[request.call_id].digest,
                approver=request.approver,
                comment=request.comment,
                edited_arguments=request.edited_arguments,
            )
        case Deny():
            return ApprovalDenied(call_id=request.call_id, approver=request.approver, reason=request.reason)
        case Expire():
            return ApprovalExpired(call_id=request.call_id)
        case Pause():
            return SessionPaused(by=request.by, reason=request.reason)
        case Resume():
            return SessionResumed(by=request.by)
        case Terminate():
            return SessionTerminationRequested(by=request.by, reason=request.reason)
        case Record():
            return UnknownEvent(type_name=request.type, data=request.data, schema_version=request.version or 1)
        case Trip():
            return BudgetExceeded(limit=request.limit, allowed=request.allowed, used=request.used)
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
        case Say():
            return RequestIgnored(request=request.request, by=request.sender, problem=problem)
        case Pause() | Resume() | Terminate() | Record():
            return RequestIgnored(request=request.request, by=request.by, problem=problem)
        case Reject():
            return RequestIgnored(request=request.name, by="unknown", problem=problem)
        case Expire() | Trip() | GiveUpModel() | GiveUpTool() | Close():
            return None
        case _:
            assert_never(request)
