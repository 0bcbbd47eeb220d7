"""Rules about limits and the end: what must be settled before it, and what may still come after it."""

from collections.abc import Iterator

from eventlog.events import (
    ApprovalRequested,
    ApprovalReused,
    BudgetExceeded,
    BudgetWarned,
    ErrorOccurred,
    HumanInputRequested,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    ModelChanged,
    PolicyDecided,
    RequestIgnored,
    SessionCompleted,
    StreamRepaired,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UnknownEvent,
)
from projections.invariants.invariant import Invariant, Moment

AT_ANY_TIME = (RequestIgnored, ErrorOccurred, StreamRepaired, UnknownEvent)
"""What came too late, strangers' events, and what is found later."""
BY_STEPS = (
    BudgetWarned,
    BudgetExceeded,
    ModelChanged,
    LLMCallRequested,
    LLMResponseReceived,
    LLMCallFailed,
    PolicyDecided,
    ApprovalRequested,
    ApprovalReused,
    HumanInputRequested,
    ToolExecutionRequested,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
"""What steps write: one that was under way when the session was ended may have been only slow."""
ORDERLY = ("success", "timeout")
"""Ends that wait for every step; all others let go of what is under way."""


class NothingFollowsTheEnd(Invariant):
    """After SessionCompleted nothing happens any more."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """An event that changes what has ended."""
        ended, event = moment.before.completed, moment.recorded.event
        if ended is None or isinstance(event, AT_ANY_TIME):
            return
        if isinstance(event, SessionCompleted):
            yield f"the session, which has ended ({ended}), ends again ({event.completion_reason})"
        elif ended in ORDERLY or not isinstance(event, BY_STEPS):
            yield f"{event.type} comes after the session has ended ({ended})"


class TheEndLeavesNothingOpen(Invariant):
    """A session that ends by itself, or in order, leaves no tool call without its outcome and nobody unanswered."""

    def __init__(self) -> None:
        self._repaired = False
        """Whether the end was written by somebody else than the session."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """Open calls, and words that nobody answered."""
        event, session = moment.recorded.event, moment.before
        self._repaired = self._repaired or isinstance(event, StreamRepaired)
        if not isinstance(event, SessionCompleted) or self._repaired:
            return
        reason = event.completion_reason
        stopped = reason in ("terminated", "limit") and session.steering.orderly
        if (stopped or reason in (*ORDERLY, "failure")) and session.pending:
            yield f"the session ends ({reason}) with open calls: {', '.join(session.pending)}"
        elif reason in ORDERLY and session.owes_reply and not session.stalled and not session.held:
            yield f"the session ends ({reason}) though what was said at position {session.heard} has no answer"


class LimitsHold(Invariant):
    """There are no more replies than the limit on turns, and no call above the limit on tool calls is begun."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """One too many."""
        session, event = moment.before, moment.recorded.event
        turns, calls = session.limits.turns, session.limits.tool_calls
        match event:
            case LLMResponseReceived() if event.step > session.steps:
                if turns is not None and session.turns >= turns:
                    yield f"this is turn {session.turns + 1} of {turns}"
            case ToolExecutionRequested():
                if calls is not None and session.tool_calls > calls:
                    yield f"a tool begins although {session.tool_calls} calls of {calls} have been asked for"
            case _:
                pass
