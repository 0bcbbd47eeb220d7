"""Message DB in the embedded PostgreSQL."""

import psycopg
import pytest

from stack.messagedb import installed_version
from tests.conftest import Database


async def test_a_fresh_database_has_message_db(database: Database) -> None:
    """A test's database has the pinned version."""
    assert await installed_version(database.url) == "1.3.0"


@pytest.mark.parametrize(
    "statement",
    ["update messages set type = 'Other'", "delete from messages", "truncate messages", "drop table messages"],
)
async def test_the_database_enforces_append_only(database: Database, statement: str) -> None:
    """The role that writes can change nothing that was written."""
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        await connection.execute("select write_message(gen_random_uuid()::text, 'a-1', 'T', '{}')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)


async def test_temporal(temporal_server: str) -> None:
    """x."""
    assert temporal_server
