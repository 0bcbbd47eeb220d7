"""Streams as the rows they are made of, to be moved from one database to another exactly as they stand."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, LiteralString, Self

import psycopg

from eventlog.archive import Archive, differences, whole
from eventlog.artifacts.overflow import Overflow
from eventlog.artifacts.places import overflow_of
from eventlog.artifacts.references import referred
from eventlog.artifacts.store import ArtifactStore
from eventlog.encoding import Row, decode
from eventlog.log import PAGE, EntryRejected
from eventlog.pool import Pool, PoolTerms, open_pool
from eventlog.queries import READ_STREAM, WRITE
from eventlog.sqlstate import Refused, translate
from eventlog.statements import Statements
from eventlog.streams import StreamName, ThreadId, stream_of

BATCH = 200
"""Rows written in one transaction: it holds up every other writer of the category."""

TAKEN: Final[LiteralString] = """
SELECT id::varchar, stream_name FROM message_store.messages WHERE id = ANY (%s::uuid[]) LIMIT 1
"""
"""An event that has one of these ids."""


class StreamDiffers(EntryRejected):
    """Something else stands where the rows are to be written."""

    def __init__(self, problem: str, found: str | None = None) -> None:
        super().__init__(problem)
        self.found = found
        """The other thread in which the rows' events stand; None where it is the very thread."""


class StreamRows:
    """Reads and restores whole streams."""

    def __init__(self, pool: Pool, statements: Statements, overflow: Overflow) -> None:
        self._pool = pool
        self._statements = statements
        self._overflow = overflow

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, bucket: ArtifactStore | None = None) -> AsyncIterator[Self]:
        """The streams of the database at this address. Raises `LogUnavailable` or `LogMisconfigured`."""
        terms = PoolTerms(max_size=1)
        async with open_pool(url, terms) as pool, Statements.on(pool, terms.pauses) as statements:
            yield cls(pool, statements, overflow_of(statements, bucket))

    async def archive(self, thread: ThreadId) -> Archive:
        """A thread's stream with all it refers to. Raises `LogCorrupted` where an artifact is missing or damaged."""
        rows = await self.read(stream_of(thread))
        needed = {digest for row in rows for digest in referred(row.data)}
        artifacts = await self._statements.patiently(lambda: self._overflow.fetch(needed)) if needed else {}
        for row in rows:
            if referred(row.data) - artifacts.keys():
                decode(row)  # says which is missing, and where
        return Archive(thread, rows, artifacts)

    async def read(self, stream: StreamName) -> list[Row]:
        """Every row of a stream, in order, as it stands in the database."""
        rows: list[Row] = []
        while True:
            page = await self._page(stream, len(rows))
            rows += page
            if len(page) < PAGE:
                return rows

    async def _page(self, stream: StreamName, start: int) -> list[Row]:
        found = await self._statements.patiently(lambda: self._statements.rows(READ_STREAM, stream, start, PAGE))
        return [Row(*row) for row in found]

    async def restore(self, archive: Archive) -> int:
        """Write what is not there yet, artifacts before the events that refer to them; how many events that was.

        All is looked at before anything is written. Interrupted, it is finished by doing it again. Raises
        `StreamDiffers` where the stream says something else than the archive, or an id belongs to another stream.
        """
        stream = stream_of(archive.thread)
        there = await self.read(stream)
        complete = [whole(row, archive.artifacts) for row in archive.rows]
        for position in differences(await self._whole(there), complete):
            raise StreamDiffers(f"thread {archive.thread} is here already, and differs at position {position}")
        coming = archive.rows[len(there) :]
        await self._require_free(coming)
        if archive.artifacts and not await self._statements.patiently(lambda: self._overflow.keep(archive.artifacts)):
            coming = complete[len(there) :]
        for batch in _batches(coming):
            await self._write(stream, batch)
        return len(coming)

    async def _whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        return await self._statements.patiently(lambda: self._overflow.whole(rows))

    async def _require_free(self, rows: Sequence[Row]) -> None:
        for row in await self._statements.rows(TAKEN, [row.id for row in rows]):
            problem = f"the event {row[0]} stands in another stream already: {row[1]}"
            raise StreamDiffers(problem, found=str(row[1]).partition("-")[2])

    async def _write(self, stream: StreamName, rows: Sequence[Row]) -> None:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                for row in rows:
                    written = (row.id, stream, row.type, row.data, row.metadata, row.position - 1)
                    await connection.execute(WRITE, written)
        except psycopg.Error as error:
            translated = translate(error)
            if isinstance(translated, Refused):
                raise StreamDiffers(f"somebody else wrote to {stream} meanwhile; import it again") from error
            raise translated from error


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
