"""Group commit: the appends of this process, brought together into as few transactions as possible.

Message DB holds a category's lock until the commit is on disk, so writers with a transaction each wait for each
other's fsync. Here a category is a lane in which everything that arrives during a commit is the next transaction.
Where our function is not installed, a stream is a lane, and each append a transaction of Message DB's own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from eventlog.backlog import Backlog
from eventlog.lane import Fill, Lane
from eventlog.log import LogUnavailable, Outcome
from eventlog.streams import StreamName
from eventlog.write import Write
from eventlog.writer import Writer

_MOST_IDLE = 100
"""Lanes that are remembered; beyond that, those that are idle are forgotten."""


@dataclass(frozen=True, slots=True)
class AppendTerms:
    """How much is taken at once, and how long the end may take."""

    fill: Fill = field(default_factory=Fill)
    waiting_entries: int = 4096
    """Entries under way or waiting at a time; whoever wants to append more is made to wait first."""
    waiting_size: int = 64 * 1024 * 1024
    """The same in characters of JSON."""
    closing: float = 10.0
    """Seconds in which what is under way must be written when the log is closed."""


class Appender:
    """The one place of a process through which everything is appended."""

    def __init__(self, writer: Writer, terms: AppendTerms, *, together: bool) -> None:
        self._writer = writer
        self._together = together
        self._fill = terms.fill if together else Fill(entries=1)
        self._backlog = Backlog(terms.waiting_entries, terms.waiting_size)
        self._lanes: dict[str, Lane] = {}
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(cls, writer: Writer, terms: AppendTerms) -> "AsyncIterator[Appender]":
        """An appender for the block's duration; at its end, what was begun is written before anything else ends."""
        appender = cls(writer, terms, together=await writer.may_append_batch())
        try:
            yield appender
        finally:
            await appender._close(terms.closing)

    async def append(self, write: Write) -> Outcome:
        """Wait until it is committed, together with whatever else is being appended. Raises `LogError`."""
        if self._closed:
            raise LogUnavailable("the log is closed")
        await self._backlog.enter(write.size)
        try:
            return await self._lane_of(write.stream).append(write)
        finally:
            self._backlog.leave(write.size)

    def _lane_of(self, stream: StreamName) -> Lane:
        name = stream.partition("-")[0] if self._together else stream
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) >= _MOST_IDLE:
                self._lanes = {busy: lane for busy, lane in self._lanes.items() if not lane.idle}
            lane = self._lanes[name] = Lane(self._writer, self._fill)
        return lane

    async def _close(self, timeout: float) -> None:
        self._closed = True
        try:
            await self._backlog.emptied(timeout)
        finally:
            reason = LogUnavailable("the log was closed before this was known to be written; append it again")
            self._backlog.turn_away(reason)
            for lane in list(self._lanes.values()):
                await lane.abandon(reason)
