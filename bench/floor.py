"""The floor: activities that keep the same promises in the shortest way there is.

Each writes two events, what it is about to do and what came of it, and waits for both commits: by Message DB's own
function, on a connection of its own, with texts that were made beforehand. Nothing is read, rendered, checked or told.
What a turn takes beyond this is Perdure's; what this takes beyond bare activities is the price of the promises.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from temporalio import activity

from bench.append import made_texts
from eventlog.ids import event_id
from eventlog.pool import PoolTerms, connection_info
from eventlog.queries import WRITE
from eventlog.streams import ThreadId, stream_of


class Floor:
    """Activities, numbered from 0 in each workflow."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._texts = made_texts()

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncIterator[Self]:
        """Writing to this database, for the block's duration."""
        connection = await AsyncConnection.connect(connection_info(url, PoolTerms()), autocommit=True)
        async with connection:
            yield cls(connection)

    @activity.defn
    async def ask_noted(self, number: int) -> int:
        """Stands for a model call."""
        return await self._noted(number)

    @activity.defn
    async def act_noted(self, number: int) -> int:
        """Stands for a tool call."""
        return await self._noted(number)

    async def _noted(self, number: int) -> int:
        await self._write(2 * number)
        await self._write(2 * number + 1)
        return number

    async def _write(self, position: int) -> None:
        thread = ThreadId(activity.info().workflow_id or "")
        id_ = event_id(thread, 0, str(position))
        cursor = await self._connection.execute(WRITE, (str(id_), stream_of(thread), *self._texts, position - 1))
        if await cursor.fetchone() != (position,):
            raise AssertionError(f"event {position} of {thread} was not written where it belongs")
