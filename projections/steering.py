"""Steering: what people did to stop, turn and watch a session, as far as the process must know it.

Like the session it is part of, it is folded from thin events alone, and positions say what came before what: so facts
that do not depend on each other may come in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eventlog.events import BreakpointReached, LLMResponseReceived, LoopDetected
from eventlog.terms import Breakpoint, When
from projections.fold import changed

INTERRUPTED = "interrupted"
"""The kind of failure of a model call that was dropped, and of a tool call that was stopped, on a person's request."""
ONE_STEP = "one-step"
"""What stands in the place of a breakpoint's id where a session pauses because it was to do one step only."""


@dataclass(frozen=True)
class Armed:
    """A breakpoint that is set."""

    when: When
    tool: str | None
    since: int
    """The position at which it was set: what was over before is not stopped after."""


@dataclass(frozen=True)
class Steering:
    """How a session is steered, after the events so far."""

    breakpoints: Mapping[str, Armed] = field(default_factory=dict)
    interrupted: int = -1
    """Position of the last interruption."""
    steered: int = -1
    """Position of the last message that was to take effect at once."""
    stepping: int = -1
    """Position from which on one step is to be done; -1 where no step is counted."""
    shown: int = -1
    """The stream as the last reply had been shown it ended here."""
    replied: int = -1
    """Position of the last reply."""
    step: int = 0
    """The model call it answered."""
    called: tuple[str, ...] = ()
    """The tools it called."""
    settled: int = -1
    """Position of the last outcome of a tool call."""
    before_step: int = 0
    """The last model call before which the session was stopped."""
    after_step: int = 0
    """The last model call after which it was stopped."""
    after_calls: int = 0
    """The last model call after whose tool calls it was stopped."""
    stop: str = ""
    """Where it was stopped last, in words."""
    orderly: bool = False
    """Whether it is to be ended with everything that runs stopped and told of."""


def armed(breakpoints: Sequence[Breakpoint], since: int) -> Mapping[str, Armed]:
    """Breakpoints as they are kept, by id."""
    return {each.id: Armed(each.when, each.tool, since) for each in breakpoints}


def replied(steering: Steering, position: int, event: LLMResponseReceived, called: Sequence[str]) -> Steering:
    """After a reply that calls these tools."""
    return changed(steering, shown=event.at, replied=position, step=event.step, called=tuple(called))


def settled(steering: Steering, position: int) -> Steering:
    """After the outcome of a call."""
    return changed(steering, settled=max(position, steering.settled))


def interrupted(steering: Steering, position: int) -> Steering:
    """After somebody interrupted what runs."""
    return changed(steering, interrupted=max(position, steering.interrupted))


def steered(steering: Steering, position: int) -> Steering:
    """After somebody said something that is to take effect at once."""
    return changed(steering, steered=max(position, steering.steered))


def stepped(steering: Steering, position: int) -> Steering:
    """After somebody asked for one step."""
    return changed(steering, stepping=position, stop="")


def resumed(steering: Steering) -> Steering:
    """After the session was let go on."""
    return changed(steering, stepping=-1, stop="") if steering.stepping >= 0 or steering.stop else steering


def disarmed(steering: Steering, id_: str | None) -> Steering:
    """Without this breakpoint, or without any."""
    left = {} if id_ is None else {each: kept for each, kept in steering.breakpoints.items() if each != id_}
    return changed(steering, breakpoints=left)


def reached(steering: Steering, event: BreakpointReached) -> Steering:
    """Stopped at a point: it is passed once the session is resumed, and a step that was counted is over."""
    stopped = changed(steering, stepping=-1, stop=in_words(event))
    if event.breakpoint == ONE_STEP:
        return stopped
    match event.when, bool(event.tools):
        case "before", False:
            return changed(stopped, before_step=max(event.step, steering.before_step))
        case "after", False:
            return changed(stopped, after_step=max(event.step, steering.after_step))
        case "after", True:
            return changed(stopped, after_calls=max(event.step, steering.after_calls))
        case _:  # before calls: these are told apart one by one
            return stopped


def in_circles(event: LoopDetected) -> str:
    """Why a session that goes round in circles was stopped, for people."""
    return f"the same calls brought the same results {event.times} times"


def in_words(event: BreakpointReached) -> str:
    """Where a session was stopped, for people."""
    what = ", ".join(event.tools) or f"model call {event.step}"
    if event.breakpoint == ONE_STEP:
        return f"after one step: {what}"
    return f"{event.when} {what} (breakpoint {event.breakpoint})"
