"""A group commit in mid-transaction, for as long as it takes to strike.

Message DB's lock on the category is held, so that the append that comes first waits for it alone, and those that come
meanwhile gather. A second hand is put on the lock, behind that append. When the first hand lets go, the first append
is written, the second hand has the lock, and the batch of all that gathered has begun and waits.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

from psycopg import AsyncConnection

from eventlog.pool import PoolTerms
from eventlog.streams import AGENT

LOCK: LiteralString = "SELECT message_store.acquire_lock(%s)"
WAITING: LiteralString = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND NOT granted AND application_name = %s
"""
WORKERS = PoolTerms().application_name
HAND, PATH = "chaos", "-c search_path=message_store,public"


class Hands:
    """Two hands for the lock on the category in which all threads are, and an eye on who waits for it."""

    def __init__(self, first: AsyncConnection, second: AsyncConnection, eye: AsyncConnection) -> None:
        self._first = first
        self._second = second
        self._eye = eye

    async def take(self) -> None:
        """Let nobody else append."""
        await self._first.execute(LOCK, (f"{AGENT}-x",))

    async def one_is_waiting(self) -> None:
        """Return as soon as an append has begun."""
        await self._waits(WORKERS)

    async def change(self) -> None:
        """Let that append through, and return as soon as the next has begun."""
        second = asyncio.create_task(self._second.execute(LOCK, (f"{AGENT}-x",)))
        await self._waits(HAND)
        await self._first.rollback()
        await second
        await self._waits(WORKERS)

    async def _waits(self, application: str) -> None:
        while True:
            cursor = await self._eye.execute(WAITING, (application,))
            [count] = await cursor.fetchone() or (0,)
            if count:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def hands(url: str) -> AsyncIterator[Hands]:
    """Both hands, for the block's duration; whatever has become of the database, they are off at its end."""
    connections = [
        await AsyncConnection.connect(url, application_name=HAND, options=PATH, autocommit=is_eye)
        for is_eye in (False, False, True)
    ]
    try:
        yield Hands(*connections)
    finally:
        for connection in connections:
            await connection.close()
