"""Following all threads at once: the category of the log is read again and again, and nothing in it can be missed."""

import asyncio
import time
from collections.abc import AsyncGenerator

from cli.errors import DatabaseUnreachable
from cli.following import INTERVAL, PATIENCE
from cli.story import Headline
from eventlog.events import SessionCompleted, UnknownEvent
from eventlog.log import EventLog, LogUnavailable, Recorded
from eventlog.streams import AGENT, StreamName
from projections.timeline import TIMELINE, Line, Timeline


async def everything(log: EventLog, after: int) -> AsyncGenerator[Recorded]:
    """What stands in the log after this global position, then what comes, without end."""
    away_since: float | None = None
    while True:
        try:
            async for recorded in log.read_category(AGENT, after + 1):
                after, away_since = recorded.global_position, None
                yield recorded
        except LogUnavailable as error:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > PATIENCE:
                raise DatabaseUnreachable(f"the log has been away for {PATIENCE:.0f} seconds: {error}") from error
        await asyncio.sleep(INTERVAL)


class Tellers:
    """Tells events of many threads in lines; of each thread it knows just enough to name its calls."""

    def __init__(self, headline: Headline) -> None:
        self._headline = headline
        self._timelines: dict[StreamName, Timeline] = {}

    def tell(self, recorded: Recorded) -> Line:
        """The event in a line."""
        timeline = self._timelines.pop(recorded.stream, None) or TIMELINE.initial()
        line = TIMELINE.evolve(timeline, recorded).lines[-1]
        if not isinstance(recorded.event, SessionCompleted):
            del timeline.lines[:-1]
            self._timelines[recorded.stream] = timeline
        return line.saying(self._headline(recorded.event)) if isinstance(recorded.event, UnknownEvent) else line
