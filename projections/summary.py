"""A session on one screen, for people: where it stands, what was asked and answered, and who is waited for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from eventlog.events import (
    ApprovalRequested,
    ApprovalVoted,
    BudgetExceeded,
    HumanInputRequested,
    LLMResponseReceived,
    LoopDetected,
    SessionCompleted,
    UserMessageAdded,
)
from eventlog.inquiries import InputAction
from eventlog.log import Recorded
from projections.budget_question import BUDGET
from projections.codec import json_codec
from projections.evolution import SESSION
from projections.fold import Projection
from projections.session import PendingCall, Session, Status
from projections.steering import in_circles
from projections.usage import USAGE, Usage

Asked: TypeAlias = ApprovalRequested | HumanInputRequested | BudgetExceeded
"""A question to a person: for leave, for something only they can say, for more money or time."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits for a person, and how to answer it."""

    call: PendingCall
    """Where it stands."""
    asked: Asked
    arguments: Mapping[str, Any]
    """What would run now, where leave is asked for; which limit was reached, where it is a budget."""
    commands: tuple[str, ...]
    """Those that answer it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A session in short."""

    session: Session = field(default_factory=Session)
    usage: Usage = field(default_factory=Usage)
    question: str | None = None
    """The first message."""
    last_said: str | None = None
    """The model's last final word."""
    ended: SessionCompleted | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
    """The questions of the current turn, by call."""
    edited: Mapping[str, Any] = field(default_factory=dict)
    """The arguments that somebody put in the place of those that were asked about, by call."""
    circle: LoopDetected | None = None
    """The last circle for which a person was asked."""
    circled_at: int = -1
    """Where that stands."""
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def status(self) -> Status:
        """The session in one word."""
        return self.session.status

    @property
    def circling(self) -> LoopDetected | None:
        """The circle for which the session stands still, until a person has it go on or ends it."""
        stands = self.circle is not None and self.session.stopped_at == in_circles(self.circle)
        return self.circle if stands else None

    @property
    def answer(self) -> str | None:
        """What the session has come to: the final answer, or a chat's last word so far."""
        if self.ended is not None and self.ended.answer is not None:
            return self.ended.answer
        return self.last_said

    @property
    def duration(self) -> timedelta:
        """From the first event to the last."""
        if self.first_at is None or self.last_at is None:
            return timedelta(0)
        return max(self.last_at - self.first_at, timedelta(0))

    @property
    def pending(self) -> tuple[Pending, ...]:
        """What waits for a person, in call order; nothing once the session is over."""
        if self.session.completed is not None:
            return ()
        return tuple(_pending(self, call) for call in self.session.waiting_for_answer if call.id in self.asked)


def describe(summary: Summary) -> str:
    """The summary as text."""
    return "\n".join(_lines(summary))


def _pending(summary: Summary, call: PendingCall) -> Pending:
    asked = summary.asked[call.id]
    commands = _commands(summary.session.thread_id, call.id, asked)
    return Pending(call, asked, summary.edited.get(call.id, _arguments(asked)), commands)


def _arguments(asked: Asked) -> Mapping[str, Any]:
    match asked:
        case ApprovalRequested():
            return asked.arguments
        case BudgetExceeded():
            about = ("limit", "tool", "account", "allowed", "used", "needed")
            told = {name: value for name in about if (value := getattr(asked, name)) is not None}
            return {**told, "unpriced": True} if asked.unpriced else told
        case HumanInputRequested():
            return {}


def _commands(thread: str, call: str, asked: Asked) -> tuple[str, ...]:
    match asked:
        case ApprovalRequested():
            return f"perdure approve {thread} {call}", f'perdure deny {thread} {call} --reason "…"'
        case HumanInputRequested():
            return (f"perdure answer {thread} {call} {_GIVEN[asked.action]}",)
        case BudgetExceeded():
            return (f"perdure raise {thread}",)


_GIVEN: Mapping[InputAction, str] = {
    "confirm": "yes|no",
    "choose": "--choice …",
    "input": '"…"',
    "upload": "--file …",
    "review": '--accept | --replace "…" | --send-back "…"',
}


def _lines(summary: Summary) -> Iterator[str]:
    session = summary.session
    yield f"{session.thread_id}: {summary.status}"
    if summary.question is not None:
        yield f"asked: {summary.question}"
    if summary.answer is not None:
        yield f"answer: {summary.answer}"
    if summary.ended is not None:
        yield f"ended: {summary.ended.summary}"
    elif session.stalled:
        yield f"stalled: {session.stalled}"
    yield f"{session.turns} turns, {session.tool_calls} tool calls, {session.tokens:,} tokens, {_cost(summary.usage)}"
    yield f"took {summary.duration.total_seconds():.1f} s"
    for pending in summary.pending:
        kind = "approval" if isinstance(pending.asked, ApprovalRequested) else "an answer"
        yield f"waits for {kind}: {pending.call.question}"
        yield from (f"  {command}" for command in pending.commands)
    if summary.circling is not None:
        yield f"waits for a person: {session.stopped_at}"
        yield f"  perdure resume {session.thread_id}"
        yield f"  perdure terminate {session.thread_id}"


def _cost(usage: Usage) -> str:
    known = f"{usage.cost:.4f} USD"
    return f"{known} and {usage.unpriced} calls of unknown price" if usage.unpriced else known


def evolve(summary: Summary, recorded: Recorded) -> Summary:
    """The summary, one event further."""
    if recorded.position <= summary.session.position:
        return summary
    return replace(
        _after(summary, recorded),
        session=SESSION.evolve(summary.session, recorded),
        usage=USAGE.evolve(summary.usage, recorded),
        first_at=summary.first_at or recorded.metadata.at,
        last_at=recorded.metadata.at,
    )


def _after(summary: Summary, recorded: Recorded) -> Summary:
    match event := recorded.event:
        case UserMessageAdded() if summary.question is None:
            return replace(summary, question=event.message)
        case LLMResponseReceived():
            said = event.response_text if event.final else summary.last_said
            return replace(summary, last_said=said, asked={}, edited={})
        case ApprovalRequested() | HumanInputRequested():
            return replace(summary, asked={**summary.asked, event.call_id: event})
        case ApprovalVoted() if event.edited_arguments is not None:
            return replace(summary, edited={**summary.edited, event.call_id: event.edited_arguments})
        case BudgetExceeded():
            return replace(summary, asked={**summary.asked, BUDGET: event})
        case LoopDetected(stage="asked"):
            return replace(summary, circle=event, circled_at=recorded.position)
        case SessionCompleted():
            return replace(summary, ended=event)
        case _:  # counted by the session and the usage
            return summary


SUMMARY: Projection[Summary] = Projection("summary", 4, Summary, evolve, json_codec(Summary))
