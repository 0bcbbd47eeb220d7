"""Our function in the database: Message DB's table, lock and order, and an outcome for each of many events."""

import asyncio
from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from eventlog.queries import APPEND_BATCH
from tests.conftest import Database
from tests.contract.administrator import administrator

HERE, THERE, ELSEWHERE = "agent:v1-1", "agent:v1-2", "agent:v2-1"


class Given(NamedTuple):
    """One event of a batch."""

    stream: str
    expected_version: int | None = None
    id: UUID | None = None
    data: str = "{}"


async def append(connection: AsyncConnection[TupleRow], *batch: Given) -> list[TupleRow]:
    """What the function answers."""
    columns = (
        [given.id or uuid4() for given in batch],
        [given.stream for given in batch],
        ["Said"] * len(batch),
        [given.data for given in batch],
        ["{}"] * len(batch),
        [given.expected_version for given in batch],
    )
    return await (await connection.execute(APPEND_BATCH, columns)).fetchall()


async def outcomes(connection: AsyncConnection[TupleRow], *batch: Given) -> list[tuple[str, int]]:
    """Outcome and version of each."""
    return [(outcome, version) for outcome, version, *_ in await append(connection, *batch)]


async def member(database: Database) -> AsyncConnection[TupleRow]:
    """A connection of the restricted role, with nothing set."""
    return await AsyncConnection.connect(database.url, autocommit=True)


async def test_each_event_gets_its_position(database: Database) -> None:
    """Events of one stream get successive positions in the order given; streams are numbered apart."""
    async with await member(database) as connection:
        batch = [Given(HERE), Given(THERE), Given(HERE), Given(ELSEWHERE), Given(HERE), Given(THERE)]
        found = await outcomes(connection, *batch)
        assert found == [("appended", version) for version in (0, 0, 1, 0, 2, 1)]
        rows = await connection.execute(
            "SELECT stream_name, position FROM message_store.messages ORDER BY global_position"
        )
        expected = [(given.stream, version) for given, (_, version) in zip(batch, found, strict=True)]
        assert await rows.fetchall() == expected


async def test_versions_are_compared_as_the_batch_goes_on(database: Database) -> None:
    """Each event expects what those before it made of the stream; a conflict changes nothing for the next."""
    async with await member(database) as connection:
        assert await outcomes(
            connection,
            Given(HERE, -1),
            Given(HERE, -1),
            Given(HERE, 0),
            Given(HERE, 5),
            Given(HERE, None),
            Given(HERE, 2),
            Given(THERE, 0),
            Given(THERE, -1),
        ) == [
            ("appended", 0),
            ("conflict", 0),
            ("appended", 1),
            ("conflict", 1),
            ("appended", 2),
            ("appended", 3),
            ("conflict", -1),
            ("appended", 0),
        ]


async def test_a_duplicate_shows_what_stands_there(database: Database) -> None:
    """Whatever version it expects, in whatever stream: all there is to know about the event under the id."""
    id_ = uuid4()
    async with await member(database) as connection:
        await append(connection, Given(HERE), Given(HERE, data='{"b": 1, "a": [1.10]}', id=id_))
        for given in (Given(HERE, 1, id_), Given(HERE, 7, id_), Given(ELSEWHERE, -1, id_)):
            [(outcome, version, *row)] = await append(connection, given)
            assert (outcome, version) == ("duplicate", 1)
            assert row[:-1] == [str(id_), HERE, "Said", 1, 2, '{"a": [1.10], "b": 1}', "{}"]


async def test_twins_in_one_batch_are_one_event(database: Database) -> None:
    """The first of the same id is appended, later ones are duplicates of it; if it conflicts, the next has its turn."""
    one, two, three = uuid4(), uuid4(), uuid4()
    async with await member(database) as connection:
        found = await append(
            connection,
            Given(HERE, -1, one),
            Given(HERE, -1, one),
            Given(THERE, None, one),
            Given(HERE, 9, two),
            Given(HERE, 8, two),
            Given(HERE, 0, two),
            Given(HERE, 0, two),
            Given(HERE, 9, three),
            Given(HERE, 9, three),
        )
        assert [(outcome, version) for outcome, version, *_ in found] == [
            ("appended", 0),
            ("duplicate", 0),
            ("duplicate", 0),
            ("conflict", 0),
            ("conflict", 0),
            ("appended", 1),
            ("duplicate", 1),
            ("conflict", 1),
            ("conflict", 1),
        ]
        assert {row[2] for row in found if row[0] == "duplicate"} == {str(one), str(two)}


async def test_an_empty_batch_is_none(database: Database) -> None:
    """Nothing is asked and nothing answered."""
    async with await member(database) as connection:
        assert await append(connection) == []


async def test_a_batch_is_all_or_nothing_where_the_database_refuses(database: Database) -> None:
    """JSON that is none takes the whole transaction with it; the client then finds out which one it was."""
    async with await member(database) as connection:
        with pytest.raises(psycopg.errors.UntranslatableCharacter):
            await append(connection, Given(HERE), Given(HERE, data='{"nul": "\\u0000"}'))
        assert await outcomes(connection, Given(HERE, -1)) == [("appended", 0)]


async def test_it_takes_message_dbs_own_lock(database: Database) -> None:
    """`write_message` in the same category waits for it and it for `write_message`, and other categories do not."""
    async with await member(database) as ours, await member(database) as theirs:
        plain = "SELECT message_store.write_message(gen_random_uuid()::text, %s, 'Said', '{}')"
        await theirs.execute("SET search_path = message_store; SET lock_timeout = '100ms'")
        async with ours.transaction():
            await append(ours, Given(HERE))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await theirs.execute(plain, (THERE,))
            await theirs.execute(plain, (ELSEWHERE,))
        async with theirs.transaction():
            await theirs.execute(plain, (THERE,))
            await ours.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await append(ours, Given(HERE))


async def test_it_sees_what_was_committed_while_it_waited(database: Database) -> None:
    """Versions and ids are looked up after the lock is taken, never from a snapshot of before."""
    id_ = uuid4()
    async with await member(database) as first, await member(database) as second:
        async with first.transaction():
            await append(first, Given(HERE, -1, id_))
            waiting = asyncio.create_task(outcomes(second, Given(HERE, -1, id_), Given(HERE, -1), Given(HERE, 0)))
            async with administrator(database) as admin:
                locks = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while await (await admin.execute(locks)).fetchone() == (0,):
                    pass
        assert await waiting == [("duplicate", 0), ("conflict", 0), ("appended", 1)]


async def test_a_plan_that_was_made_for_a_small_table_serves_a_large_one(database: Database) -> None:
    """A connection that began with an empty table finds ids and versions by index ten thousand events later."""
    async with await member(database) as connection:
        for _ in range(10):
            await append(connection, Given(HERE))
        async with administrator(database) as admin:
            await admin.execute("ANALYZE messages")
            for _ in range(10):
                await append(connection, Given(HERE))
            await admin.execute(
                "SELECT write_message(gen_random_uuid()::text, %s, 'Said', '{}') FROM generate_series(1, 10000)",
                (THERE,),
            )
            scans = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'messages'"
            await admin.execute("SELECT pg_stat_force_next_flush()")
            before = await (await admin.execute(scans)).fetchone()
            assert await outcomes(connection, *[Given(HERE)] * 50) == [("appended", n) for n in range(20, 70)]
            await connection.execute("SELECT pg_stat_force_next_flush()")
            assert await (await admin.execute(scans)).fetchone() == before


async def test_it_is_nobody_elses(database: Database) -> None:
    """Its rights are the caller's; it is for Message DB's role alone, which can neither change nor replace it."""
    async with administrator(database) as admin, await member(database) as connection:
        found = await admin.execute(
            "SELECT prosecdef, proacl::text, proowner::regrole::text FROM pg_proc WHERE proname = 'append_batch'"
        )
        assert await found.fetchone() == (False, "{postgres=X/postgres,message_store=X/postgres}", "postgres")
        for statement in (
            "CREATE OR REPLACE FUNCTION perdure.version() RETURNS int LANGUAGE sql AS 'SELECT 9'",
            "CREATE FUNCTION perdure.mine() RETURNS int LANGUAGE sql AS 'SELECT 9'",
            "DROP SCHEMA perdure CASCADE",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
        await admin.execute("REVOKE INSERT ON messages FROM message_store")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await append(connection, Given(HERE))
