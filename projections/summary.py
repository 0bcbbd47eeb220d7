"""A session on one screen, for people: where it stands, what was asked and answered, and who is waited for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from eventlog.events import ApprovalRequested, LLMResponseReceived, SessionCompleted, UserMessageAdded
from eventlog.log import Recorded
from projections.codec import json_codec
from projections.fold import Projection
from projections.session import SESSION, Session, Status
from projections.usage import USAGE, Usage


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A question that waits for a person, and how to answer it."""

    asked: ApprovalRequested
    approve: str
    """The command that allows the call."""
    deny: str
    """The command that forbids it."""


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
    asked: Mapping[str, ApprovalRequested] = field(default_factory=dict)
    """The questions of the current turn, by call."""
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def status(self) -> Status:
        """The session in one word."""
        return self.session.status

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
    def pending(self) -> tuple[PendingApproval, ...]:
        """What waits for a person, in call order; nothing once the session is over."""
        if self.session.completed is not None:
            return ()
        waiting = (self.asked.get(call.id) for call in self.session.waiting_for_answer)
        return tuple(_pending(self.session.thread_id, asked) for asked in waiting if asked is not None)


def describe(summary: Summary) -> str:
    """The summary as text."""
    return "\n".join(_lines(summary))


def _pending(thread: str, asked: ApprovalRequested) -> PendingApproval:
    return PendingApproval(
        asked=asked,
        approve=f"perdure approve {thread} {asked.call_id}",
        deny=f'perdure deny {thread} {asked.call_id} --reason "…"',
    )


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
        yield f"waits for approval: {pending.asked.question}"
        yield f"  {pending.approve}"
        yield f"  {pending.deny}"


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
            return replace(summary, last_said=said, asked={})
        case ApprovalRequested():
            return replace(summary, asked={**summary.asked, event.call_id: event})
        case SessionCompleted():
            return replace(summary, ended=event)
        case _:  # counted by the session and the usage
            return summary


SUMMARY: Projection[Summary] = Projection("summary", 2, Summary, evolve, json_codec(Summary))
