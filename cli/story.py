"""A thread as far as it was told: the views from which reports are made, continued event by event."""

from collections.abc import Callable
from typing import TypeAlias

from cli.answers import ThreadReport
from cli.questions import circle_of, question_of
from eventlog.events import LLMResponseReceived, UnknownEvent
from eventlog.log import Recorded
from eventlog.streams import ThreadId
from projections.session import Session, Status
from projections.summary import SUMMARY
from projections.timeline import TIMELINE, Line

Headline: TypeAlias = Callable[[UnknownEvent], str]
"""Tells a plugin's event in a line; empty where nobody here knows how."""


def no_headline(event: UnknownEvent) -> str:  # noqa: ARG001 - as `Headline` has it
    """What is told without plugins."""
    return ""


class Story:
    """Folds the events of one thread."""

    def __init__(self, thread: ThreadId, headline: Headline = no_headline) -> None:
        self._headline = headline
        self.thread = thread
        self.summary = SUMMARY.initial()
        self._timeline = TIMELINE.initial()
        self.calls: set[str] = set()
        """Every call the model ever asked for."""

    @property
    def session(self) -> Session:
        """The state of the thread."""
        return self.summary.session

    @property
    def lines(self) -> list[Line]:
        """Everything that happened, for people."""
        return self._timeline.lines

    def take(self, recorded: Recorded) -> None:
        """Go on with the next event."""
        self.summary = SUMMARY.evolve(self.summary, recorded)
        self._timeline = TIMELINE.evolve(self._timeline, recorded)
        if isinstance(recorded.event, UnknownEvent):
            self.lines[-1] = self.lines[-1].saying(self._headline(recorded.event))
        if isinstance(recorded.event, LLMResponseReceived):
            self.calls.update(call.id for call in recorded.event.tool_calls)

    def report(self) -> ThreadReport:
        """Where the thread stands by its stream."""
        summary, session, ended = self.summary, self.session, self.summary.ended
        pending = (*(question_of(session, each) for each in summary.pending), *circle_of(summary))
        usage = summary.usage
        return ThreadReport(
            thread_id=self.thread,
            status=_status(session),
            position=session.position,
            mode=session.mode,
            started_at=session.started_at,
            call_id=pending[0].call_id if pending else None,
            pending=pending,
            answer=summary.answer if ended is not None or session.mode == "chat" else None,
            result=ended.result if ended else None,
            reason=ended.completion_reason if ended else None,
            summary=ended.summary if ended else None,
            problem=session.stalled or None,
            turns=session.turns,
            tool_calls=session.tool_calls,
            tokens=session.tokens,
            cost_usd=None if usage.unpriced else float(usage.cost),
            stopped_at=session.stopped_at or None,
            breakpoints=tuple(session.steering.breakpoints),
        )


def _status(session: Session) -> Status:
    """The session in one word; one that is about to end waits for nobody any more."""
    ending = session.completed is None and (session.terminating or session.exceeded)
    return "running" if ending else session.status
