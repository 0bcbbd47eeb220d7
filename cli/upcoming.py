"""What a thread does next, in words: the process's own decision, as it would be made of what is known."""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from projections.next_step import (
    AwaitMessage,
    AwaitRaise,
    AwaitResume,
    AwaitReview,
    CallModel,
    Ended,
    Finish,
    PutUp,
    SettleCalls,
    StopAt,
    StopCalls,
    TripLimit,
    next_step,
)
from projections.session import PendingCall, Session


def upcoming(session: Session, now: datetime) -> str:
    """What the process does at this time with a session that stands so."""
    match next_step(session, now):
        case CallModel(step):
            return f"the model is asked, turn {step}"
        case SettleCalls(calls):
            return _calls(calls)
        case StopCalls(calls):
            return f"{_titles(calls)}: stopped"
        case StopAt():
            return "it stops at a breakpoint"
        case AwaitMessage():
            return "it waits for a message"
        case AwaitResume():
            return "it waits to be resumed"
        case AwaitRaise():
            return "it waits for a person to allow more"
        case PutUp() | AwaitReview():
            return "it waits for a person to look at the answer"
        case TripLimit(limit):
            return f"the limit on {limit} is reached"
        case Finish(reason):
            return f"it ends: {reason}"
        case Ended(reason):
            return f"it has ended: {reason}"
        case step:
            assert_never(step)


def _calls(calls: Iterable[PendingCall]) -> str:
    waiting = [call for call in calls if call.waits]
    running = [call for call in calls if not call.waits]
    said = [f"{_titles(running)}: run"] if running else []
    return "; ".join(said + ([f"{_titles(waiting)}: waits for a person"] if waiting else []))


def _titles(calls: Iterable[PendingCall]) -> str:
    return ", ".join(call.title for call in calls)
