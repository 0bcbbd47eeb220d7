"""The log in PostgreSQL: Message DB's table and functions, and outcomes that can be believed.

Two rules. A refusal is never taken at its word: the id is looked up first, then the stream's version, for a retry
of a write that was committed looks like a conflict. And a lost connection is not an answer: the write is asked after
by its id and repeated, with the same id, until it is known what became of it or the tries are used up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import TupleRow

from eventlog.encoding import Encoded, Row, decode, encode, same_content, same_writing
from eventlog.log import (
    NO_STREAM,
    PAGE,
    AlreadyAppended,
    Appended,
    Entry,
    IdConflict,
    LogUnavailable,
    Outcome,
    Recorded,
    VersionConflict,
)
from eventlog.pool import Pool, PoolTerms, open_pool
from eventlog.queries import CHECK, FIND, READ_CATEGORY, READ_STREAM, VERSION, WRITE
from eventlog.sqlstate import ConnectionLost, Refused, translate
from eventlog.streams import Category, StreamName, category, parse_stream_name

T = TypeVar("T")

logger = structlog.get_logger(__name__)


class _Write:
    """One append until its outcome is known."""

    def __init__(self, stream: StreamName, entry: Entry, expected_version: int | None) -> None:
        self.stream = stream
        self.id = entry.id
        self.encoded: Encoded = encode(entry)
        self.expected_version = expected_version
        self.in_doubt = False
        """A try ended without an answer, so what stands in the log may be our own."""

    @property
    def parameters(self) -> tuple[Any, ...]:
        """What `WRITE` takes."""
        encoded = self.encoded
        return (str(self.id), self.stream, encoded.type, encoded.data, encoded.metadata, self.expected_version)

    def outcome(self, recorded: Recorded) -> Outcome:
        """What it means that this event stands under the id."""
        if recorded.stream != self.stream or not same_content(self.encoded, recorded):
            return IdConflict(recorded)
        if self.in_doubt and same_writing(self.encoded, recorded):
            return Appended(recorded.position)
        return AlreadyAppended(recorded)


class PostgresEventLog:
    """Message DB, spoken to as its own restricted role: reading and appending is all it can do."""

    def __init__(self, pool: Pool, terms: PoolTerms) -> None:
        self._pool = pool
        self._pauses = terms.pauses

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, terms: PoolTerms | None = None) -> AsyncIterator[Self]:
        """The log at this address, for the block's duration. Raises `LogUnavailable` or `LogMisconfigured`."""
        terms = terms or PoolTerms()
        async with open_pool(url, terms) as pool:
            log = cls(pool, terms)
            await log.check()
            yield log

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append one event; see `EventLog.append`.

        Cancelled, it leaves open whether the event was written: the same append, repeated, tells.
        """
        parse_stream_name(stream)
        write = _Write(stream, entry, expected_version)
        return await self._patiently(lambda: self._attempt(write))

    async def _attempt(self, write: _Write) -> Outcome:
        if write.in_doubt and (recorded := await self._find(write.id)):
            return write.outcome(recorded)
        try:
            [(position,)] = await self._rows_of(WRITE, *write.parameters)
        except ConnectionLost:
            write.in_doubt = True
            raise
        except Refused as refused:
            return await self._explain(write, refused)
        return Appended(position)

    async def _explain(self, write: _Write, refused: Refused) -> Outcome:
        """Why the database refused: somebody has the id, or wrote first, or else its own words."""
        if recorded := await self._find(write.id):
            return write.outcome(recorded)
        actual = await self._version(write.stream)
        if write.expected_version is not None and write.expected_version != actual:
            return VersionConflict(write.expected_version, actual)
        if refused.constraint == "messages_stream":
            raise LogUnavailable(f"somebody wrote to {write.stream} without Message DB's lock; append again")
        raise refused

    async def read(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Recorded]:
        """The events of a stream; see `EventLog.read`."""
        parse_stream_name(stream)
        async for row in self._rows(READ_STREAM, stream, max(start, 0), end, lambda row: row.position):
            yield decode(row)

    async def read_category(
        self, category_: Category, start: int = 1, end: int | None = None
    ) -> AsyncIterator[Recorded]:
        """The events of a category; see `EventLog.read_category`.

        Nothing can appear later at a position that was passed: Message DB numbers and commits under one lock.
        """
        name = category(category_)
        async for row in self._rows(READ_CATEGORY, name, max(start, 1), end, lambda row: row.global_position):
            yield decode(row)

    async def _rows(
        self, query: LiteralString, name: str, start: int, end: int | None, place: Callable[[Row], int]
    ) -> AsyncIterator[Row]:
        """Page by page; no connection is held while the reader is busy with a page."""
        while end is None or start <= end:
            size = PAGE if end is None else min(PAGE, end - start + 1)
            rows = await self._page(query, name, start, size)
            for row in rows:
                if end is not None and place(row) > end:
                    return
                yield row
            if len(rows) < size:
                return
            start = place(rows[-1]) + 1

    async def _page(self, query: LiteralString, name: str, start: int, size: int) -> list[Row]:
        rows = await self._patiently(lambda: self._rows_of(query, name, start, size))
        return [Row(*row) for row in rows]

    async def find(self, id_: UUID) -> Recorded | None:
        """The event with this id, if it is in the log."""
        return await self._patiently(lambda: self._find(id_))

    async def _find(self, id_: UUID) -> Recorded | None:
        rows = await self._rows_of(FIND, id_)
        return decode(Row(*rows[0])) if rows else None

    async def version(self, stream: StreamName) -> int:
        """The position of the stream's last event; see `EventLog.version`."""
        parse_stream_name(stream)
        return await self._patiently(lambda: self._version(stream))

    async def _version(self, stream: StreamName) -> int:
        [(position,)] = await self._rows_of(VERSION, stream)
        return NO_STREAM if position is None else int(position)

    async def check(self) -> str:
        """The version of Message DB that answers; see `EventLog.check`."""
        [(version,)] = await self._patiently(lambda: self._rows_of(CHECK))
        return str(version)

    async def _rows_of(self, query: LiteralString, *parameters: object) -> list[TupleRow]:
        """One statement, and so one transaction."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query, parameters)
                return await cursor.fetchall()
        except psycopg.Error as error:
            raise translate(error) from error

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again, for a few seconds, as long as connections are lost."""
        for pause in self._pauses:
            try:
                return await attempt()
            except ConnectionLost as lost:
                logger.warning("log_connection_lost", problem=str(lost), next_try_in=pause)
                await asyncio.sleep(pause)
        return await attempt()
