"""The superuser of a test's database, who can hold everybody up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from eventlog.streams import StreamName
from tests.conftest import Database


@asynccontextmanager
async def administrator(database: Database) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """The superuser, with Message DB's functions in reach."""
    options = "-c search_path=message_store,public"
    connection = await AsyncConnection.connect(database.admin_url, autocommit=True, options=options)
    async with connection:
        yield connection


@asynccontextmanager
async def locked(database: Database, stream: StreamName) -> AsyncIterator[None]:
    """Nobody can write to the stream's category during the block."""
    async with administrator(database) as admin, admin.transaction():
        await admin.execute("SELECT acquire_lock(%s)", (stream,))
        yield


async def waiting_writer(database: Database) -> int:
    """The process id of a backend that waits for a lock, as soon as there is one."""
    async with administrator(database) as admin:
        while True:
            found = await admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if row := await found.fetchone():
                return int(row[0])


async def execute(database: Database, statement: LiteralString, *parameters: object) -> None:
    """One statement of the superuser's."""
    async with administrator(database) as admin:
        await admin.execute(statement, parameters)


async def transactions(database: Database) -> list[int]:
    """How many events each transaction has written, in the order of the events."""
    async with administrator(database) as admin:
        cursor = await admin.execute(
            "SELECT xmin::text, count(*) FROM messages GROUP BY 1 ORDER BY min(global_position)"
        )
        return [int(count) for _, count in await cursor.fetchall()]


async def on_insert(database: Database, statement: LiteralString) -> None:
    """Let the database do this before it takes an event that is by Mallory."""
    body = f"BEGIN IF NEW.data->>'by' = 'mallory' THEN {statement}; END IF; RETURN NEW; END"
    async with administrator(database) as admin:
        await admin.execute(f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$".encode())
        await admin.execute("CREATE TRIGGER meddle BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION meddle()")


@asynccontextmanager
async def stalled(database: Database) -> AsyncIterator[None]:
    """During the block, a transaction that writes an event by Mallory gets no further."""
    await on_insert(database, "PERFORM pg_advisory_xact_lock(1, 1)")
    async with administrator(database) as admin, admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(1, 1)")
        yield
