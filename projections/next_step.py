"""What to do next is just another view of the log. START HERE after `eventlog/events.py`.

The rules, in order; the first that fits decides:

1. What has ended stays ended.
2. Somebody wants it to end: end it.
3. A limit is reached: say so, then end it.
4. It is paused: wait.
5. Tool calls are open: settle every one of them; the model must see an outcome for each.
6. The model could not be asked, or will not answer: a task fails, a chat waits for a person.
7. The model owes a reply: ask it, unless it brings nothing forward any more.
8. It has had its last word: a task is done, a chat waits for the next message.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from eventlog.terms import CompletionReason, LimitName
from projections.session import PendingCall, Session

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
class AwaitMessage:
    """Wait for a person to say something, so long as this many seconds (None: for ever)."""

    timeout: float | None


@dataclass(frozen=True, slots=True)
class AwaitResume:
    """Wait until the session is resumed."""


@dataclass(frozen=True, slots=True)
class TripLimit:
    """Record that a limit is reached."""

    limit: LimitName
    allowed: float
    used: float


@dataclass(frozen=True, slots=True)
class Finish:
    """End the session."""

    reason: CompletionReason
    summary: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is left to do."""

    reason: CompletionReason


Step: TypeAlias = CallModel | SettleCalls | AwaitMessage | AwaitResume | TripLimit | Finish | Ended


def next_step(session: Session, now: datetime) -> Step:
    """What the process does now."""
    if session.completed is not None:
        return Ended(session.completed)
    if session.terminating:
        return Finish("terminated", "the session was terminated on request")
    if session.exceeded:
        return Finish("limit", f"the limit on {session.exceeded} was reached")
    if tripped := reached_limit(session, now):
        return tripped
    if session.paused:
        return AwaitResume()
    if session.pending:
        return SettleCalls(tuple(session.pending.values()))
    if session.stalled:
        return _stalled(session)
    if session.owes_reply:
        return _ask(session)
    if session.mode == "chat":
        return AwaitMessage(session.idle_timeout)
    return Finish("success", "the model gave its final answer")


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
    if not session.owes_reply:
        return None
    if limits.tokens is not None and session.tokens >= limits.tokens:
        return TripLimit("tokens", limits.tokens, session.tokens)
    if limits.turns is not None and session.turns >= limits.turns:
        return TripLimit("turns", limits.turns, session.turns)
    return None
