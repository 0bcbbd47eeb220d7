"""Statements to the log's database: each is one transaction, and is made again where its connection was lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import LiteralString, Self, TypeAlias, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from eventlog.pool import Pool
from eventlog.sqlstate import ConnectionLost, translate

T = TypeVar("T")

Execute: TypeAlias = Callable[..., Awaitable[list[TupleRow]]]
"""Carries out a query with its parameters; the rows it gives, none where it gives none."""

logger = structlog.get_logger(__name__)


class Statements:
    """The one way to the database; its errors are the log's.

    A connection goes back to the pool as soon as nothing else is left to do, and not before the answer it brought is
    given; a statement that follows at once has it again. That is a tenth of what a lone append takes.
    """

    def __init__(self, pool: Pool, pauses: tuple[float, ...]) -> None:
        self._pool = pool
        self._pauses = pauses
        self._kept: list[AsyncConnection[TupleRow]] = []
        self._returns: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def on(cls, pool: Pool, pauses: tuple[float, ...]) -> AsyncIterator[Self]:
        """On connections of this pool, for the block's duration; afterwards the pool has them all."""
        statements = cls(pool, pauses)
        try:
            yield statements
        finally:
            statements._give_back()
            await asyncio.gather(*statements._returns)

    async def rows(self, query: LiteralString, *parameters: object) -> list[TupleRow]:
        """One statement, and so one transaction. Raises `LogError`."""
        try:
            return await self._rows(await self._connection(), query, parameters)
        except psycopg.Error as error:
            raise translate(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Execute]:
        """Several statements that are carried out all or none; do nothing slow in between. Raises `LogError`.

        None may write events: those have a transaction of their own, which is as short as can be.
        """
        try:
            before = _cancellations()
            async with self._pool.connection() as connection, connection.transaction():
                if _cancellations() > before:
                    raise asyncio.CancelledError

                async def execute(query: LiteralString, *parameters: object) -> list[TupleRow]:
                    cursor = await connection.execute(query, parameters)
                    return await cursor.fetchall() if cursor.description else []

                yield execute
        except psycopg.Error as error:
            raise translate(error) from error

    async def _rows(
        self, connection: AsyncConnection[TupleRow], query: LiteralString, parameters: tuple[object, ...]
    ) -> list[TupleRow]:
        fit = False
        try:
            cursor = await connection.execute(query, parameters)
            rows = await cursor.fetchall()
            fit = True
        finally:
            if fit:
                self._keep(connection)
            else:
                await self._pool.putconn(connection)
        return rows

    async def _connection(self) -> AsyncConnection[TupleRow]:
        if self._kept and not self._pool.get_stats()["requests_waiting"]:
            return self._kept.pop()
        before = _cancellations()
        connection = await self._pool.getconn()
        if _cancellations() > before:
            await self._pool.putconn(connection)
            raise asyncio.CancelledError
        return connection

    def _keep(self, connection: AsyncConnection[TupleRow]) -> None:
        if not self._kept:
            asyncio.get_running_loop().call_soon(self._give_back)
        self._kept.append(connection)

    def _give_back(self) -> None:
        while self._kept:
            task = asyncio.create_task(self._pool.putconn(self._kept.pop()))
            self._returns.add(task)
            task.add_done_callback(self._returns.discard)

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again, for a few seconds, as long as connections are lost."""
        for pause in self._pauses:
            try:
                return await attempt()
            except ConnectionLost as lost:
                logger.warning("log_connection_lost", problem=str(lost), next_try_in=pause)
                await asyncio.sleep(pause)
        return await attempt()


def _cancellations() -> int:
    """How often the task was cancelled, also where nobody has raised it.

    Python 3.11's `asyncio.wait_for`, by which the pool waits for a connection, forgets a cancellation that comes
    together with the connection. Who is cancelled once, and waited for, would go on for ever.
    """
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
