"""Message DB in the embedded PostgreSQL."""

import asyncio

import psycopg
import pytest
from psycopg import sql

from eventlog.sql import VERSION
from stack.errors import MessageDbUnusable
from stack.home import cache_folder
from stack.messagedb import create_database, functions_version, install, installed_version
from stack.postgres import ADMIN, WRITER, EmbeddedPostgres
from tests.conftest import Database

SAY = "select write_message(gen_random_uuid()::text, 'agent:v1-1', 'Said', '{}')"


async def test_a_fresh_database_has_message_db(database: Database) -> None:
    """The restricted role finds the pinned version's functions."""
    assert await installed_version(database.url) == "1.3.0"


@pytest.mark.parametrize(
    "statement",
    [
        "update messages set type = 'Unsaid'",
        "delete from messages",
        "truncate messages",
        "drop table messages",
        "alter table messages disable trigger all",
        "create or replace function message_store.write_message() returns int language sql as 'select 1'",
    ],
)
async def test_the_database_enforces_append_only(database: Database, statement: str) -> None:
    """The role that writes can change nothing of what was written, nor the rules."""
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        await connection.execute(SAY)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)


async def test_every_role_needs_its_password(database: Database) -> None:
    """Nobody comes in by knowing the port."""
    for url in (database.url, database.admin_url):
        without = psycopg.conninfo.make_conninfo(url, passfile="/dev/null", password="guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await psycopg.AsyncConnection.connect(without)


async def test_it_is_installed_once_however_many_try(postgres_server: EmbeddedPostgres) -> None:
    """Installing again, or at the same moment, changes nothing and loses nothing."""
    await create_database(postgres_server.admin_url, "installed_twice")
    url = postgres_server.url(ADMIN, "installed_twice")
    assert await installed_version(url) is None
    assert await asyncio.gather(*(install(url, cache_folder()) for _ in range(3))) == ["1.3.0"] * 3
    async with await psycopg.AsyncConnection.connect(postgres_server.url(WRITER, "installed_twice")) as connection:
        await connection.execute(SAY)
    await install(url, cache_folder())
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await connection.execute(sql.SQL("select count(*) from message_store.messages"))
        assert await rows.fetchone() == (1,)


async def test_our_functions_are_brought_up_to_date(database: Database) -> None:
    """Missing ones are installed and older ones replaced; newer ones, of a later release, stay."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as admin:
        assert await functions_version(admin) == VERSION
        for found, wanted in ((None, VERSION), (0, VERSION), (VERSION, VERSION), (VERSION + 1, VERSION + 1)):
            await admin.execute("drop schema perdure cascade")
            if found is not None:
                await admin.execute(
                    "create schema perdure;"
                    f"create function perdure.version() returns int language sql as 'select {found:d}'".encode()
                )
            assert await install(database.admin_url, cache_folder()) == "1.3.0"
            assert await functions_version(admin) == wanted
            there = await admin.execute("select count(*) from pg_proc where proname = 'append_batch'")
            assert await there.fetchone() == (int((found or 0) < VERSION),)


async def test_a_database_where_we_may_not_install_anything_of_ours_is_used_as_it_is(database: Database) -> None:
    """Message DB is there and its role is let in: that is enough."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as admin:
        await admin.execute("drop schema perdure cascade")
        assert await install(database.url, cache_folder()) == "1.3.0"
        assert await functions_version(admin) == 0


async def test_a_role_that_may_not_install_is_told(postgres_server: EmbeddedPostgres) -> None:
    """An installation that is refused says what it needs and leaves nothing."""
    await create_database(postgres_server.admin_url, "not_installed")
    with pytest.raises(MessageDbUnusable, match="may create roles and schemas"):
        await install(postgres_server.url(WRITER, "not_installed"), cache_folder())
    assert await installed_version(postgres_server.url(WRITER, "not_installed")) is None


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@127.0.0.1:1/x", "postgres//me:s3cret@host", "s3cret"])
async def test_a_database_that_cannot_be_reached_is_named_without_its_password(url: str) -> None:
    """The error says what to check and repeats no secret."""
    with pytest.raises(MessageDbUnusable, match="DATABASE_URL") as raised:
        await installed_version(url)
    assert "s3cret" not in str(raised.value)
