"""Where a session is to be stopped now: `due` holds its breakpoints against it, and a step that was to be the only one.

A point is passed by being reached: it is recorded, the session is paused there, and whoever resumes it goes past that
very point. The next model call, the next round of tool calls, is another point.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from eventlog.terms import When
from projections.steering import ONE_STEP, Armed

if TYPE_CHECKING:
    from projections.session import PendingCall, Session


@dataclass(frozen=True, slots=True)
class Point:
    """A point at which the session is to be stopped."""

    breakpoint: str
    when: When
    step: int
    """The model call it is about."""
    tools: tuple[str, ...] = ()
    """The tools it is about; none where it is about the model call itself."""
    calls: tuple[str, ...] = ()
    """The calls that are not begun for its sake."""


def due(session: "Session") -> Point | None:
    """The point the session has come to; None where it may go on."""
    steering = session.steering
    if not steering.breakpoints and steering.stepping < 0:
        return None
    if session.held or (steering.stepping >= 0 and not _has_stepped(session)):
        return None
    return next(_points(session), None)


def _points(session: "Session") -> Iterator[Point]:
    """Every point the session has come to. A breakpoint goes before the end of a step: it ends that step too."""
    for id_, breakpoint_ in session.steering.breakpoints.items():
        point = _about_calls if breakpoint_.tool is not None else _about_model
        yield from point(session, id_, breakpoint_)
    if session.steering.stepping >= 0:
        steering = session.steering
        over = steering.called if steering.settled > steering.replied else ()
        yield Point(ONE_STEP, "after", steering.step, tuple(dict.fromkeys(over)))


def _has_stepped(session: "Session") -> bool:
    """Whether one model call, or the round of tool calls that was open, has come to its end since."""
    steering = session.steering
    settled = -1 if session.pending else steering.settled
    return max(steering.replied, session.failed_at, settled) > steering.stepping


def _about_model(session: "Session", id_: str, breakpoint_: Armed) -> Iterator[Point]:
    steering, next_one = session.steering, session.steps + 1
    if breakpoint_.when == "before":
        if _is_to_ask(session) and steering.before_step < next_one:
            yield Point(id_, "before", next_one)
    elif steering.replied > breakpoint_.since and steering.after_step < steering.step:
        yield Point(id_, "after", steering.step)


def _about_calls(session: "Session", id_: str, breakpoint_: Armed) -> Iterator[Point]:
    steering, pattern = session.steering, breakpoint_.tool or "*"
    if breakpoint_.when == "before":
        calls = [call for call in session.pending.values() if _is_ahead(call) and fnmatchcase(call.name, pattern)]
        if calls:
            tools = tuple(dict.fromkeys(call.name for call in calls))
            yield Point(id_, "before", steering.step, tools, tuple(call.id for call in calls))
    elif not session.pending and steering.settled > breakpoint_.since and steering.after_calls < steering.step:
        tools = tuple(dict.fromkeys(name for name in steering.called if fnmatchcase(name, pattern)))
        if tools:
            yield Point(id_, "after", steering.step, tools)


def _is_to_ask(session: "Session") -> bool:
    return session.owes_reply and not session.pending and not session.stalled


def _is_ahead(call: "PendingCall") -> bool:
    """Whether the call is about to begin, and was not stopped before."""
    return call.state in ("wanted", "granted") and not call.stopped
