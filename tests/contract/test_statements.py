"""Statements on connections that are few, and the people who wait for one."""

import asyncio

from eventlog.pool import PoolTerms, open_pool
from eventlog.statements import Statements
from tests.conftest import Database

TURNS = 12
"""Of the event loop, within which somebody who waits has been given what was put back."""


async def test_whoever_is_cancelled_when_a_connection_comes_is_cancelled(database: Database) -> None:
    """In whichever turn of the loop that is: nobody goes on as if nothing had been."""
    async with (
        open_pool(database.url, PoolTerms(max_size=1)) as pool,
        Statements.on(pool, ()) as statements,
    ):
        for turns in range(TURNS):
            connection = await pool.getconn()
            waiting = asyncio.create_task(statements.rows("SELECT 1, pg_sleep(0.05)"))
            while not pool.get_stats()["requests_waiting"]:
                await asyncio.sleep(0)
            await pool.putconn(connection)
            for _ in range(turns):
                await asyncio.sleep(0)
            assert waiting.cancel()
            await asyncio.wait({waiting})
            assert waiting.cancelled(), f"after {turns} turns"
        assert await statements.rows("SELECT 1") == [(1,)]
