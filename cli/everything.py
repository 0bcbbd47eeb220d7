"""Following all threads at once: the category of the log is read again and again, and nothing in it can be missed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from cli.errors import DatabaseUnreachable
from cli.following import INTERVAL, PATIENCE
from cli.story import Headline
from eventlog.encoding import decode
from eventlog.events import SessionCompleted, UnknownEvent
from eventlog.feed import Feed
from eventlog.log import PAGE, LogCorrupted, LogUnavailable, Recorded
from eventlog.streams import AGENT, StreamName
from projections.timeline import TIMELINE, Line, Timeline


async def everything(feed: Feed, after: int, unreadable: Callable[[str], None]) -> AsyncGenerator[Recorded]:
    """What stands in the log after this global position, then what comes, without end.

    An event that cannot be read is told of, and the next one comes: whoever looks on must not stop at it for ever.
    """
    away_since: float | None = None
    while True:
        try:
            rows = await feed.whole(await feed.rows(AGENT, after + 1, PAGE))
            away_since = None
        except LogUnavailable as error:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > PATIENCE:
                raise DatabaseUnreachable(f"the log has been away for {PATIENCE:.0f} seconds: {error}") from error
            rows = []
        for row in rows:
            after = row.global_position
            try:
                yield decode(row)
            except LogCorrupted as problem:
                unreadable(str(problem))
        if len(rows) < PAGE:
            await asyncio.sleep(INTERVAL)


def thread_of(stream: StreamName) -> str:
    """Whose stream it is, also where it was named by somebody who knows no rules."""
    return stream.partition("-")[2] or stream


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
