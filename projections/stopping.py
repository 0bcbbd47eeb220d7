"""What must stop: a model call that somebody interrupted or spoke into, and tool calls that are not to go on.

The workflow asks this of its session while something runs. A call that has stopped still owes its outcome, or the next
request to the model would not be valid: `why_stopped` says what becomes of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from projections.steering import INTERRUPTED

if TYPE_CHECKING:
    from projections.session import PendingCall, Session

STEERED = "steered"
"""The kind of failure of a tool call that was not begun, because somebody said something that comes first."""
DROPPED = "It was dropped on request before its reply was complete; what it used is not known."
"""What is recorded of a model call that was interrupted."""
NOT_BEGUN = "It was not run: a person said something meanwhile that comes first."

_WHY: Mapping[str, str] = {
    "terminated": "the session was ended",
    "limit": "the session came to its limit",
    INTERRUPTED: "a person interrupted the session",
}


def drops_model_call(session: "Session", at: int) -> bool:
    """Whether a model call that shows the stream up to `at` is to be dropped."""
    steering = session.steering
    terminated = session.terminating and steering.orderly
    return terminated or max(steering.interrupted, steering.steered) > at


def stops_calls(session: "Session") -> bool:
    """Whether every open tool call is to be stopped: it was interrupted, or the session is to end."""
    steering = session.steering
    return bool(session.pending) and (ends_orderly(session) or steering.interrupted > steering.shown)


def skips_calls(session: "Session") -> bool:
    """Whether tool calls that are not begun are not to be run."""
    steering = session.steering
    return bool(session.pending) and steering.steered > steering.shown


def ends_orderly(session: "Session") -> bool:
    """Whether the session is to end, on request or at a limit, with every open call stopped and told of."""
    return (session.terminating or bool(session.exceeded)) and session.steering.orderly


def kind_of_stop(session: "Session") -> str:
    """Why a call has no other outcome, in one word."""
    if session.terminating:
        return "terminated"
    return "limit" if session.exceeded else INTERRUPTED


def why_stopped(session: "Session", call: "PendingCall") -> str:
    """Why a call has no other outcome, in words for the model."""
    why = _WHY[kind_of_stop(session)]
    return f"{why}, and the question was withdrawn" if call.waits else f"it was stopped: {why}"
