"""What to do next is just another view of the log. START HERE after `eventlog/events.py`.

The rules, in order; the first that fits decides:

1. What has ended stays ended.
2. Open tool calls were interrupted, or are to end with the session: give each its outcome.
3. Somebody wants it to end: end it.
4. A limit is reached: say so, then end it; or, where that is wanted, ask a person for more, and wait.
5. It is paused: wait.
6. It has come to a breakpoint, or done the one step it was to do: stop there.
7. Tool calls are open: settle every one of them; the model must see an outcome for each.
8. It was interrupted: wait for a message, or to be resumed.
9. The model could not be asked, or will not answer: a task fails, a chat waits for a person.
10. The model owes a reply: ask it, unless it brings nothing forward any more.
11. It has had its last word: a task is done, once a person has accepted the answer where one must; a chat waits for
    the next message.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from eventlog.terms import CompletionReason, LimitName
from projections.breakpoints import Point, due
from projections.review import UNREVIEWED
from projections.session import PendingCall, Session
from projections.stopping import stops_calls

MOST_NUDGES = 3
"""Replies in a row that may be cut off, empty or wrong before the session gives up."""


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model, showing it the log up to `at`."""

    step: int
    at: int


@dataclass(frozen=True, slots=True)
class SettleCalls:
    """Bring every open tool call to its outcome, in parallel."""

    calls: tuple[PendingCall, ...]


@dataclass(frozen=True, slots=True)
class StopCalls:
    """Give every open tool call, none of which runs any more, its outcome."""

    calls: tuple[PendingCall, ...]


@dataclass(frozen=True, slots=True)
class StopAt:
    """Record that the session has come to a point where it is to be stopped."""

    point: Point


@dataclass(frozen=True, slots=True)
class AwaitMessage:
    """Wait for a person to say something, so long as this many seconds (None: for ever)."""

    timeout: float | None


@dataclass(frozen=True, slots=True)
class AwaitResume:
    """Wait until the session is resumed."""


@dataclass(frozen=True, slots=True)
class AwaitRaise:
    """Wait until a person has said whether the session may use more."""

    asked_at: int
    """The position of the question."""
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PutUp:
    """Have a person look at the final answer before it is used."""

    step: int
    """The model call whose answer it is."""
    timeout: float
    """Seconds they have."""


@dataclass(frozen=True, slots=True)
class AwaitReview:
    """Wait until a person has looked at the final answer."""

    question: PendingCall


@dataclass(frozen=True, slots=True)
class TripLimit:
    """Record that a limit is reached."""

    limit: LimitName
    allowed: float
    used: float
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """End the session."""

    reason: CompletionReason
    summary: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is left to do."""

    reason: CompletionReason


Step: TypeAlias = (
    CallModel
    | SettleCalls
    | StopCalls
    | StopAt
    | AwaitMessage
    | AwaitResume
    | AwaitRaise
    | PutUp
    | AwaitReview
    | TripLimit
    | Finish
    | Ended
)


def next_step(session: Session, now: datetime) -> Step:
    """What the process does now."""
    if session.completed is not None:
        return Ended(session.completed)
    if stops_calls(session):
        return StopCalls(tuple(session.pending.values()))
    if session.terminating:
        return Finish("terminated", "the session was terminated on request")
    if session.exceeded:
        return Finish("limit", _at_the_limit(session))
    if session.budget is not None:
        return AwaitRaise(session.budget.position, session.budget.expires_at)
    if tripped := reached_limit(session, now):
        return tripped
    if session.paused:
        return AwaitResume()
    if (point := due(session)) is not None:
        return StopAt(point)
    if session.pending:
        return SettleCalls(tuple(session.pending.values()))
    if (question := session.open_review) is not None:
        return AwaitReview(question)
    if session.held:
        return AwaitMessage(session.idle_timeout if session.mode == "chat" else None)
    if session.stalled:
        return _stalled(session)
    if session.owes_reply:
        return _ask(session)
    if session.mode == "chat":
        return AwaitMessage(session.idle_timeout)
    return _finish(session)


def _finish(session: Session) -> Step:
    """The end of a task, as soon as its answer may be used."""
    review = session.review
    if review is None or review.accepted == session.steps:
        return Finish("success", "the model gave its final answer")
    if review.unanswered == session.steps:
        return Finish("failure", UNREVIEWED)
    return PutUp(session.steps, review.timeout)


def _at_the_limit(session: Session) -> str:
    """What was reached, and what was done so far."""
    done = f"{session.turns} turns, {session.tool_calls} tool calls and {session.tokens:,} tokens"
    return f"{session.reached}; it had come to {done}"


def _stalled(session: Session) -> Step:
    if session.mode == "chat":
        return AwaitMessage(session.idle_timeout)
    return Finish("failure", session.stalled)


def _ask(session: Session) -> Step:
    if session.nudges > MOST_NUDGES:
        return Finish("failure", f"{session.nudges} replies in a row were cut off, empty or not what was asked for")
    return CallModel(session.steps + 1, session.position)


def reached_limit(session: Session, now: datetime) -> TripLimit | None:
    """The first limit the session has reached, if any; one that ends it now and not merely after this turn."""
    limits = session.limits
    if limits.runtime is not None and session.started_at is not None:
        running = (now - session.started_at).total_seconds()
        if running >= limits.runtime:
            return TripLimit("runtime", limits.runtime, running)
    if limits.tool_calls is not None and session.tool_calls > limits.tool_calls:
        return TripLimit("tool_calls", limits.tool_calls, session.tool_calls)
    for name, allowed in limits.tools.items():
        if session.calls_of.get(name, 0) > allowed:
            return TripLimit("tool", allowed, session.calls_of[name], name)
    if not session.owes_reply:
        return None
    if limits.tokens is not None and session.tokens >= limits.tokens:
        return TripLimit("tokens", limits.tokens, session.tokens)
    if limits.turns is not None and session.turns >= limits.turns:
        return TripLimit("turns", limits.turns, session.turns)
    return None
