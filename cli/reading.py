"""A thread's stream, read so far."""

from dataclasses import replace
from typing import Literal

from cli.answers import ThreadReport
from cli.story import Headline, Story, no_headline
from eventlog.log import EventLog, Recorded
from eventlog.streams import ThreadId, stream_of


class Reading(Story):
    """Folds a stream, and goes on from where it stopped."""

    def __init__(self, log: EventLog, thread: ThreadId, headline: Headline = no_headline) -> None:
        super().__init__(thread, headline)
        self._log = log

    async def catch_up(self, at: int | None = None) -> list[Recorded]:
        """Read what is new, up to and including position `at`."""
        news = [each async for each in self._log.read(stream_of(self.thread), self.session.position + 1, at)]
        for recorded in news:
            self.take(recorded)
        return news


def taking_over(thread: str) -> str:
    """The command that has a thread go on which nothing runs."""
    return f"perdure export {thread} | perdure import - --run"


def nobodys(report: ThreadReport) -> ThreadReport:
    """The report of a thread that has not ended and that nothing runs here."""
    return replace(report, not_running="Temporal knows no workflow of it: it was imported, or is forgotten")


def closed_from_outside(report: ThreadReport, status: Literal["failed", "terminated"], why: str) -> ThreadReport:
    """The report of a thread whose workflow was ended by somebody else than itself, so that its stream has no end."""
    return replace(report, status=status, pending=(), call_id=None, summary=why)
