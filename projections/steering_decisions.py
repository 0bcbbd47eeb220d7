"""Which facts a request to steer a session makes, and why it may be refused: this part of `projections/decide.py`.

A point that was reached and a call that is skipped are decided like everything else, on what the log says then.
"""

from typing import TypeAlias, assert_never

from eventlog.events import (
    BreakpointCleared,
    BreakpointReached,
    BreakpointSet,
    SessionInterrupted,
    SessionStepped,
    ToolExecutionFailed,
    UserMessageAdded,
)
from projections.process_requests import Reach, Skip
from projections.requests import (
    ClearBreakpoint,
    Interrupt,
    SetBreakpoint,
    Steer,
    StepOnce,
)
from projections.session import Session
from projections.steering import ONE_STEP
from projections.stopping import NOT_BEGUN, STEERED

Steered: TypeAlias = Interrupt | Steer | StepOnce | SetBreakpoint | ClearBreakpoint | Reach | Skip
Fact: TypeAlias = (
    SessionInterrupted
    | UserMessageAdded
    | SessionStepped
    | BreakpointSet
    | BreakpointCleared
    | BreakpointReached
    | ToolExecutionFailed
)

MOST_BREAKPOINTS = 20


def refuses(session: Session, request: Steered) -> str | None:
    """Why the session cannot be steered like this, in words for the sender; None where it can."""
    match request:
        case Interrupt():
            return _nothing_to_interrupt(session)
        case Steer():
            return "the session is ending already" if session.terminating else None
        case StepOnce():
            return None if session.paused or session.stalled or session.held else "the session is not paused"
        case SetBreakpoint():
            return _not_another(session, request)
        case ClearBreakpoint():
            return _none_to_clear(session, request.id)
        case Reach():
            return _not_reached(session, request)
        case Skip():
            return _not_skipped(session, request)
        case _:
            assert_never(request)


def _nothing_to_interrupt(session: Session) -> str | None:
    if session.terminating:
        return "the session is ending already"
    if session.held:
        return "the session is interrupted already"
    rests = bool(session.stalled) or not session.owes_reply
    if session.mode == "chat" and rests and not session.pending and not session.paused:
        return "nothing runs: the session waits for a message"
    return None


def _not_another(session: Session, request: SetBreakpoint) -> str | None:
    there_are = session.steering.breakpoints
    if request.breakpoint.id in there_are:
        return f"there is a breakpoint {request.breakpoint.id!r} already"
    if request.breakpoint.id == ONE_STEP:
        return f"a breakpoint cannot be called {ONE_STEP!r}"
    return f"there are {MOST_BREAKPOINTS} breakpoints already" if len(there_are) >= MOST_BREAKPOINTS else None


def _none_to_clear(session: Session, id_: str | None) -> str | None:
    there_are = session.steering.breakpoints
    if id_ is None:
        return None if there_are else "no breakpoint is set"
    return None if id_ in there_are else f"no breakpoint {id_!r} is set (there are: {', '.join(there_are) or 'none'})"


def _not_reached(session: Session, request: Reach) -> str | None:
    if session.paused or session.terminating:
        return "the session has stopped already"
    gone = request.breakpoint != ONE_STEP and request.breakpoint not in session.steering.breakpoints
    return "the breakpoint was cleared" if gone else None


def _not_skipped(session: Session, request: Skip) -> str | None:
    call = session.pending.get(request.call_id)
    if call is None:
        return "the call has its outcome already"
    return "the call has begun" if call.state == "begun" else None


def steering_fact(session: Session, request: Steered) -> Fact:
    """The fact the request makes, where it is not refused."""
    match request:
        case Interrupt():
            return SessionInterrupted(by=request.by, reason=request.reason)
        case Steer():
            return UserMessageAdded(
                message=request.message, attachments=request.attachments, sender=request.sender, steering=True
            )
        case StepOnce():
            return SessionStepped(by=request.by)
        case SetBreakpoint():
            return BreakpointSet(breakpoint=request.breakpoint, by=request.by)
        case ClearBreakpoint():
            return BreakpointCleared(breakpoint=request.id, by=request.by)
        case Reach():
            return BreakpointReached(**request.model_dump(exclude={"request"}))
        case Skip():
            name = session.pending[request.call_id].name
            return ToolExecutionFailed(
                call_id=request.call_id, tool_name=name, kind=STEERED, error_message=NOT_BEGUN, retry_count=0
            )
        case _:
            assert_never(request)


def told_by(request: Steered) -> str | None:
    """Who asked for it; None where the process itself did."""
    match request:
        case Steer():
            return request.sender
        case Reach() | Skip():
            return None
        case _:
            return request.by
