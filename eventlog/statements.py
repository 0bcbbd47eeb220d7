"""Statements to the log's database: each is one transaction, and is made again where its connection was lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import LiteralString, TypeVar

import psycopg
import structlog
from psycopg.rows import TupleRow

from eventlog.pool import Pool
from eventlog.sqlstate import ConnectionLost, translate

T = TypeVar("T")

logger = structlog.get_logger(__name__)


class Statements:
    """The one way to the database; its errors are the log's."""

    def __init__(self, pool: Pool, pauses: tuple[float, ...]) -> None:
        self._pool = pool
        self._pauses = pauses

    async def rows(self, query: LiteralString, *parameters: object) -> list[TupleRow]:
        """One statement, and so one transaction. Raises `LogError`."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query, parameters)
                return await cursor.fetchall()
        except psycopg.Error as error:
            raise translate(error) from error

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again, for a few seconds, as long as connections are lost."""
        for pause in self._pauses:
            try:
                return await attempt()
            except ConnectionLost as lost:
                logger.warning("log_connection_lost", problem=str(lost), next_try_in=pause)
                await asyncio.sleep(pause)
        return await attempt()
