"""Whether an agent goes round in circles: the same calls bring the same results, again and again.

A round is one reply and what came of its calls, or up to three of them in turn (A, B, A, B). What a person says begins
anew, for then the model knows more than before. A circle is told of when a round is complete, and once for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from eventlog.events import (
    ApprovalDenied,
    ApprovalExpired,
    LoopDetected,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
from eventlog.terms import LoopStage
from projections.conversation import Entry, Reply
from projections.tool_results import ToolOutcome

LONGEST_PERIOD = 3
"""Replies in one round, at most."""
MOST_TIMES = 1_000
"""Rounds that are counted; a session that goes on after these has been told often enough."""


@dataclass(frozen=True, slots=True)
class Circle:
    """What the last replies were: so many rounds, one like the other."""

    period: int
    times: int


@dataclass(frozen=True, slots=True)
class LoopTerms:
    """After how many equal rounds what is done about it; 0 is never."""

    tell: int = 3
    """The model is told, from then on after every round."""
    ask: int = 5
    """The session is paused, for a person to decide."""
    end: int = 7
    """The session is over."""

    def stage(self, circle: Circle | None) -> LoopStage | None:
        """What follows from it."""
        if circle is None:
            return None
        if self.end and circle.times >= self.end:
            return "ended"
        if circle.times == self.ask:
            return "asked"
        return "told" if self.tell and circle.times >= self.tell else None


LOOPS = LoopTerms()


def circle_of(entries: Sequence[Entry]) -> Circle | None:
    """The circle that the last reply has completed; of several, the one gone through most often."""
    last = entries[-1] if entries else None
    if not isinstance(last, Reply) or not _is_round(last):
        return None
    found = [circle for period in range(1, LONGEST_PERIOD + 1) if (circle := _of_period(entries, period))]
    return max(found, key=lambda circle: circle.times, default=None)


def notice(event: LoopDetected) -> str:
    """What the model reads of it."""
    what = "the same calls" if event.period == 1 else f"the same {event.period} steps"
    return (
        f"You have made {what} {event.times} times now, and the results were the same each time. Another time will "
        "change nothing: try something else, or give your final answer and say what you could not find out."
    )


def loop_line(event: LoopDetected) -> str:
    """It, in words for people."""
    what = "calls" if event.period == 1 else f"{event.period} steps"
    after = {"told": "the model is told", "asked": "a person is asked to go on or end it", "ended": "it is ended"}
    return f"the same {what} brought the same results {event.times} times: {after[event.stage]}"


def _of_period(entries: Sequence[Entry], period: int) -> Circle | None:
    pairs = takewhile(lambda pair: _same(*pair), _pairs(entries, period))
    rounds, rest = divmod(sum(1 for _ in pairs) + period, period)
    return Circle(period, rounds) if rest == 0 and rounds > 1 else None


def _pairs(entries: Sequence[Entry], period: int) -> Iterator[tuple[Entry, Entry]]:
    """Each entry and the one a round before it, from the end on."""
    last = len(entries) - 1
    for index in range(last, max(period - 1, last - period * MOST_TIMES), -1):
        between = entries[index - period : index]
        if not all(map(_is_round, between)):
            return
        yield entries[index], entries[index - period]


def _is_round(entry: Entry) -> bool:
    """Whether it is a reply whose every call was made."""
    return isinstance(entry, Reply) and bool(entry.calls) and not entry.cut_off and not entry.refused


def _same(one: Entry, other: Entry) -> bool:
    """Whether two replies want the same, and got the same."""
    if not isinstance(one, Reply) or not isinstance(other, Reply) or len(one.calls) != len(other.calls):
        return False
    return _wanted(one) == _wanted(other) and _got(one) == _got(other)


def _wanted(reply: Reply) -> list[tuple[object, object]]:
    return [(block.get("name"), block.get("input")) for block in reply.content if block.get("type") == "tool_use"]


def _got(reply: Reply) -> list[object]:
    return [_essence(reply.outcomes.get(call.id)) for call in reply.calls]


def _essence(outcome: ToolOutcome | None) -> object:
    """What the model learns from an outcome. What a person said is never the same, be it in the same words."""
    match outcome:
        case ToolExecutionCompleted():
            return outcome.result
        case ToolExecutionFailed():
            return outcome.kind, outcome.error_message
        case ToolExecutionOutcomeUnknown():
            return outcome.explanation
        case ApprovalDenied():
            return outcome.approver, outcome.reason
        case ApprovalExpired():
            return "expired"
        case _:
            return object()
