"""A thread's stream, read so far: the state from which the client's reports are made."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from cli.answers import PendingApproval, ThreadReport
from eventlog.events import (
    AnyEvent,
    ApprovalRequested,
    LLMResponseReceived,
    SessionCompleted,
)
from eventlog.log import EventLog, Recorded
from eventlog.streams import ThreadId, stream_of
from projections.session import Session, evolve


class Reading:
    """Folds a stream and goes on from where it stopped."""

    def __init__(self, log: EventLog, thread: ThreadId) -> None:
        self._log = log
        self.thread = thread
        self.session = Session()
        self._questions: dict[str, ApprovalRequested] = {}
        self._completed: SessionCompleted | None = None
        self._reply: str | None = None
        self._cost: Decimal | None = Decimal(0)
        self.calls: set[str] = set()
        """Every call the model ever asked for."""

    async def catch_up(self, at: int | None = None) -> list[Recorded]:
        """Read what is new, up to and including position `at`."""
        news = [each async for each in self._log.read(stream_of(self.thread), self.session.position + 1, at)]
        for recorded in news:
            self._take(recorded.position, recorded.event)
        return news

    def _take(self, position: int, event: AnyEvent) -> None:
        self.session = evolve(self.session, position, event)
        match event:
            case ApprovalRequested():
                self._questions[event.call_id] = event
            case LLMResponseReceived():
                self._replied(event)
            case SessionCompleted():
                self._completed = event
            case _:
                pass

    def _replied(self, event: LLMResponseReceived) -> None:
        self.calls.update(call.id for call in event.tool_calls)
        if event.final:
            self._reply = event.response_text
        if self._cost is not None:
            self._cost = None if event.cost_usd is None else self._cost + event.cost_usd

    def pending(self) -> tuple[PendingApproval, ...]:
        """The questions that wait for a person, in call order."""
        waiting = (self._questions.get(call.id) for call in self.session.waiting_for_answer)
        return tuple(_pending(self.thread, question) for question in waiting if question is not None)

    def report(self) -> ThreadReport:
        """Where the thread stands by its stream."""
        session, ended = self.session, self._completed
        pending = () if session.completed else self.pending()
        return ThreadReport(
            thread_id=self.thread,
            status=session.status,
            position=session.position,
            mode=session.mode,
            started_at=session.started_at,
            call_id=pending[0].call_id if pending else None,
            pending=pending,
            answer=self._answer(),
            result=ended.result if ended else None,
            reason=ended.completion_reason if ended else None,
            summary=ended.summary if ended else None,
            problem=session.stalled or None,
            turns=session.turns,
            tool_calls=session.tool_calls,
            tokens=session.tokens,
            cost_usd=None if self._cost is None else float(self._cost),
        )

    def _answer(self) -> str | None:
        if self._completed is not None and self._completed.answer is not None:
            return self._completed.answer
        return self._reply if self.session.mode == "chat" else None


def _pending(thread: ThreadId, question: ApprovalRequested) -> PendingApproval:
    arguments: Mapping[str, Any] = question.arguments
    return PendingApproval(
        thread_id=thread,
        call_id=question.call_id,
        tool=question.tool_name,
        arguments=arguments,
        question=question.question,
        reason=question.reason,
        risk=question.risk,
        expires_at=question.expires_at,
    )


def closed_from_outside(report: ThreadReport, status: Literal["failed", "terminated"], why: str) -> ThreadReport:
    """The report of a thread whose workflow was ended by somebody else than itself, so that its stream has no end."""
    return replace(report, status=status, pending=(), call_id=None, summary=why)
