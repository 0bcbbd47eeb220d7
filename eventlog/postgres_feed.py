"""Consumers' places in a table beside the log, moved together with what the consumers write."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from eventlog.artifacts.overflow import Overflow
from eventlog.encoding import Row
from eventlog.feed import MOST_COUNTED, Hold, HoldLost, Lag, Statement
from eventlog.queries import READ_CATEGORY
from eventlog.statements import Statements
from eventlog.streams import Category, category

TAKE: Final[LiteralString] = """
INSERT INTO perdure.consumers AS consumer (name, position, holder, held_until)
VALUES (
  %s::text,
  CASE WHEN %s::boolean
       THEN coalesce((SELECT max(global_position) FROM message_store.messages
                       WHERE message_store.category(stream_name) = %s::varchar), 0)
       ELSE 0
   END,
  %s::uuid,
  clock_timestamp() + make_interval(secs => %s::float8))
    ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder, held_until = excluded.held_until
 WHERE consumer.holder IS NULL
    OR consumer.holder = excluded.holder
    OR consumer.held_until < clock_timestamp()
RETURNING position
"""

RELEASE: Final[LiteralString] = """
UPDATE perdure.consumers SET holder = NULL, held_until = NULL
 WHERE name = %s::text AND holder = %s::uuid
RETURNING name
"""

ADVANCE: Final[LiteralString] = """
UPDATE perdure.consumers SET position = %s::bigint, moved_at = now()
 WHERE name = %s::text AND holder = %s::uuid AND position = %s::bigint
RETURNING position
"""

REWIND: Final[LiteralString] = """
INSERT INTO perdure.consumers AS consumer (name, position) VALUES (%s::text, 0)
    ON CONFLICT (name) DO UPDATE SET position = 0, moved_at = now()
"""

LAG: Final[LiteralString] = """
WITH place AS (SELECT max(position) AS position FROM perdure.consumers WHERE name = %s::text),
     category AS (SELECT %s::varchar AS name),
     behind AS (
       SELECT message.time
         FROM place, category, message_store.messages message
        WHERE message_store.category(message.stream_name) = category.name
          AND message.global_position > coalesce(place.position, 0)
        ORDER BY message.global_position
        LIMIT %s::bigint)
SELECT place.position,
       (SELECT count(*) FROM behind),
       coalesce((SELECT max(global_position) FROM message_store.messages message
                  WHERE message_store.category(message.stream_name) = category.name), 0),
       (SELECT min(time) FROM behind) AT TIME ZONE 'UTC'
  FROM place, category
"""

NEWEST: Final[LiteralString] = """
SELECT coalesce(max(global_position), 0)
  FROM message_store.messages
 WHERE message_store.category(stream_name) = %s::varchar
"""


class PostgresFeed:
    """See `Feed`."""

    def __init__(self, statements: Statements, overflow: Overflow) -> None:
        self._statements = statements
        self._overflow = overflow

    async def take(
        self, consumer: str, holder: UUID, seconds: float, category_: Category, *, from_now: bool
    ) -> Hold | None:
        """Hold the consumer's place; see `Feed.take`."""
        taken = await self._statements.rows(TAKE, consumer, from_now, category(category_), holder, seconds)
        for (position,) in taken:
            return Hold(consumer, holder, position)
        return None

    async def release(self, hold: Hold) -> None:
        """Let others take it at once; see `Feed.release`."""
        await self._statements.rows(RELEASE, hold.consumer, hold.holder)

    async def rows(self, category_: Category, start: int, size: int) -> Sequence[Row]:
        """Rows of a category; see `Feed.rows`.

        Nothing can appear later at a position that was passed: Message DB numbers and commits under one lock.
        """
        return [Row(*row) for row in await self._statements.rows(READ_CATEGORY, category(category_), start, size)]

    async def whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with their large content; see `Feed.whole`."""
        return await self._overflow.whole(rows)

    async def advance(self, hold: Hold, position: int, statements: Sequence[Statement]) -> Hold:
        """Carry the statements out and move the place; see `Feed.advance`."""
        moved = Statement(ADVANCE, (position, hold.consumer, hold.holder, hold.position))
        async with self._statements.transaction() as carry_out:
            if not await carry_out(moved.query, *moved.parameters):
                raise HoldLost(f"another process reads for {hold.consumer!r} now")
            for statement in statements:
                await carry_out(statement.query, *statement.parameters)
        return Hold(hold.consumer, hold.holder, position)

    async def rewind(self, consumer: str, statements: Sequence[Statement]) -> None:
        """Let the consumer begin again; see `Feed.rewind`."""
        await self.write([Statement(REWIND, (consumer,)), *statements])

    async def write(self, statements: Sequence[Statement]) -> None:
        """Carry statements out together; see `Feed.write`."""
        async with self._statements.transaction() as carry_out:
            for statement in statements:
                await carry_out(statement.query, *statement.parameters)

    async def ask(self, statement: Statement) -> Sequence[tuple[Any, ...]]:
        """The rows that a query gives; see `Feed.ask`."""
        return await self._statements.patiently(lambda: self._statements.rows(statement.query, *statement.parameters))

    async def newest(self, category_: Category) -> int:
        """Where the category ends now; see `Feed.newest`."""
        [(position,)] = await self._statements.rows(NEWEST, category(category_))
        return int(position)

    async def lag(self, consumer: str, category_: Category) -> Lag:
        """How far it is behind; see `Feed.lag`."""
        [row] = await self._statements.rows(LAG, consumer, category(category_), MOST_COUNTED)
        position, events, newest, waiting_since = row
        return Lag(events, position, newest, waiting_since)
