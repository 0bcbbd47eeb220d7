"""The log in PostgreSQL: Message DB's table and functions, and outcomes that can be believed."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import attrgetter
from typing import LiteralString, Self
from uuid import UUID

from psycopg.rows import TupleRow

from eventlog.appender import Appender, AppendTerms
from eventlog.artifacts.overflow import LIMIT, Overflow
from eventlog.artifacts.places import overflow_of
from eventlog.artifacts.store import ArtifactStore
from eventlog.chunks import Fetch, fetched, one_by_one
from eventlog.encoding import Row
from eventlog.log import Entry, Outcome, Recorded
from eventlog.lookup import find, version
from eventlog.pool import PoolTerms, open_pool
from eventlog.postgres_feed import PostgresFeed
from eventlog.postgres_snapshots import PostgresSnapshots
from eventlog.queries import CHECK, READ_CATEGORY, READ_STREAM, STREAMS
from eventlog.statements import Statements
from eventlog.streams import Category, StreamName, category, parse_stream_name
from eventlog.write import Write
from eventlog.writer import Writer


class PostgresEventLog:
    """Message DB, spoken to as its own restricted role: reading and appending is all it can do."""

    def __init__(self, statements: Statements, appender: Appender, overflow: Overflow) -> None:
        self._statements = statements
        self.statements = statements
        """For adapters of our other tables, which share the log's connections."""
        self._appender = appender
        self._overflow = overflow
        self.snapshots = PostgresSnapshots(statements)
        """On the log's own connections."""
        self.feed = PostgresFeed(statements, overflow)
        """For consumers; on the same connections."""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        terms: PoolTerms | None = None,
        appending: AppendTerms | None = None,
        *,
        bucket: ArtifactStore | None = None,
        limit: int = LIMIT,
    ) -> AsyncIterator[Self]:
        """The log at this address, for the block's duration. Raises `LogUnavailable` or `LogMisconfigured`.

        What is large in events of more than `limit` bytes is kept in the bucket, or else in a table beside the log.
        """
        terms = terms or PoolTerms()
        async with open_pool(url, terms) as pool, Statements.on(pool, terms.pauses) as statements:
            await _version_of_message_db(statements)
            overflow = overflow_of(statements, bucket, limit)
            async with Appender.open(Writer(statements, overflow), appending or AppendTerms()) as appender:
                yield cls(statements, appender, overflow)

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append one event; see `EventLog.append`.

        Cancelled, it leaves open whether the event was written: the same append, repeated, tells.
        """
        parse_stream_name(stream)
        write = Write(stream, entry, expected_version)
        whole = write.encoded.data
        if self._overflow.overflows(whole):
            write.store_as(await self._statements.patiently(lambda: self._overflow.thinned(whole)))
        return await self._appender.append(write)

    def read(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Recorded]:
        """The events of a stream; see `EventLog.read`."""
        return one_by_one(self.chunks(stream, start, end))

    def chunks(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncGenerator[list[Recorded]]:
        """The events of a stream, some at a time; see `EventLog.chunks`."""
        parse_stream_name(stream)
        return fetched(self._pages(READ_STREAM, stream), attrgetter("position"), max(start, 0), end)

    def read_category(self, category_: Category, start: int = 1, end: int | None = None) -> AsyncIterator[Recorded]:
        """The events of a category; see `EventLog.read_category`.

        Nothing can appear later at a position that was passed: Message DB numbers and commits under one lock.
        """
        pages = self._pages(READ_CATEGORY, category(category_))
        return one_by_one(fetched(pages, attrgetter("global_position"), max(start, 1), end))

    async def streams(self, category_: Category) -> list[StreamName]:
        """The streams of a category; see `EventLog.streams`."""
        name = category(category_)
        found = await self._statements.patiently(lambda: self._statements.rows(STREAMS, name))
        return [StreamName(stream) for (stream,) in found]

    def _pages(self, query: LiteralString, name: str) -> Fetch:
        """Fetches by this query; no connection is held while the reader is busy with a page."""

        async def fetch(start: int, size: int) -> Sequence[Row]:
            found = await self._statements.patiently(lambda: self._statements.rows(query, name, start, size))
            rows = list(map(_row, found))
            return await self._statements.patiently(lambda: self._overflow.whole(rows))

        return fetch

    async def find(self, id_: UUID) -> Recorded | None:
        """The event with this id, if it is in the log."""
        return await self._statements.patiently(lambda: find(self._statements, self._overflow, id_))

    async def version(self, stream: StreamName) -> int:
        """The position of the stream's last event; see `EventLog.version`."""
        parse_stream_name(stream)
        return await self._statements.patiently(lambda: version(self._statements, stream))

    async def check(self) -> str:
        """The version of Message DB that answers; see `EventLog.check`."""
        return await _version_of_message_db(self._statements)


_row: Callable[[TupleRow], Row] = partial(tuple.__new__, Row)
"""What `Row._make` does, in a fifth of the time: a read makes one of every event."""


async def _version_of_message_db(statements: Statements) -> str:
    [(version_,)] = await statements.patiently(lambda: statements.rows(CHECK))
    return str(version_)
