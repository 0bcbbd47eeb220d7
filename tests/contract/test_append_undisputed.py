"""Our other function in the database: it writes a whole batch of one category, or nothing of it."""

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from eventlog.log import Appended
from eventlog.postgres import PostgresEventLog
from eventlog.queries import APPEND_UNDISPUTED
from eventlog.streams import StreamName
from tests.conftest import Database
from tests.contract.administrator import administrator, execute, locked, transactions, waiting_writer
from tests.contract.conftest import MakeEntry
from tests.contract.test_append_batch import ELSEWHERE, HERE, THERE, Given, member


async def append(connection: AsyncConnection[TupleRow], *batch: Given) -> list[int] | None:
    """The positions, or none."""
    columns = (
        [given.id or uuid4() for given in batch],
        [given.stream for given in batch],
        ["Said"] * len(batch),
        [given.data for given in batch],
        ["{}"] * len(batch),
        [given.expected_version for given in batch],
    )
    cursor = await connection.execute(APPEND_UNDISPUTED, columns)
    [(positions, seconds)] = await cursor.fetchall()
    assert seconds >= 0
    return positions  # type: ignore[no-any-return]


async def written(connection: AsyncConnection[TupleRow]) -> list[tuple[str, int]]:
    """All that stands in the log, in order."""
    found = await connection.execute(
        "SELECT stream_name, position FROM message_store.messages ORDER BY global_position"
    )
    return [(stream, position) for stream, position in await found.fetchall()]


async def test_each_event_of_a_batch_gets_its_position(database: Database) -> None:
    """Events of one stream get successive positions in the order given, whatever stands there; streams are apart."""
    async with await member(database) as connection:
        assert await append(connection, Given(HERE), Given(THERE, -1)) == [0, 0]
        batch = [Given(HERE, 0), Given(THERE), Given(HERE, 1), Given(HERE), Given(THERE, 1)]
        assert await append(connection, *batch) == [1, 1, 2, 3, 2]
        assert (await written(connection))[2:] == [(HERE, 1), (THERE, 1), (HERE, 2), (HERE, 3), (THERE, 2)]


ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    "disputed",
    [
        [Given(HERE, 5)],
        [Given(THERE, 0)],
        [Given(HERE, 0), Given(HERE, 0)],
        [Given(HERE, 0, ONE)],
        [Given(THERE, -1, OTHER), Given(HERE, 0, OTHER)],
        [Given(ELSEWHERE)],
        [],
    ],
    ids=["late", "early", "twice", "duplicate", "twins", "two categories", "nothing"],
)
async def test_where_one_cannot_be_written_none_is(database: Database, disputed: list[Given]) -> None:
    """Not its neighbours either, and no number is drawn: the next batch follows without a gap."""
    async with await member(database) as connection:
        assert await append(connection, Given(HERE, -1, ONE)) == [0]
        neighbours = [Given("agent:v1-3")] if disputed else []
        assert await append(connection, *neighbours, *disputed, *neighbours) is None
        assert await written(connection) == [(HERE, 0)]
        assert await append(connection, Given(HERE, 0)) == [1]
        numbers = await connection.execute("SELECT array_agg(global_position) FROM message_store.messages")
        assert await numbers.fetchone() == ([1, 2],)


async def test_it_waits_for_the_category_and_then_looks(database: Database) -> None:
    """What was committed by the one it waited for speaks against it, or moves it back."""
    async with await member(database) as first, await member(database) as second, await member(database) as third:
        async with first.transaction():
            assert await append(first, Given(HERE, -1)) == [0]
            waiting = [
                asyncio.create_task(append(second, Given(THERE), Given(HERE, -1))),
                asyncio.create_task(append(third, Given(HERE))),
            ]
            async with administrator(database) as admin:
                locks = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while await (await admin.execute(locks)).fetchone() != (2,):
                    pass
        assert await asyncio.gather(*waiting) == [None, [1]]


async def test_json_that_is_none_is_refused(database: Database) -> None:
    """Nothing of the batch is written, and the database says why."""
    async with await member(database) as connection:
        with pytest.raises(psycopg.errors.UntranslatableCharacter):
            await append(connection, Given(HERE), Given(HERE, data='{"nul": "\\u0000"}'))
        assert await written(connection) == []


async def test_its_plan_serves_a_table_that_has_grown(database: Database) -> None:
    """A connection that began with an empty table finds ids and versions by index thousands of events later."""
    async with await member(database) as connection, administrator(database) as admin:
        for _ in range(10):
            await append(connection, Given(HERE))
        await admin.execute("ANALYZE messages")
        await admin.execute(
            "SELECT write_message(gen_random_uuid()::text, %s, 'Said', '{}') FROM generate_series(1, 5000)", (THERE,)
        )
        scans = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'messages'"
        await admin.execute("SELECT pg_stat_force_next_flush()")
        before = await (await admin.execute(scans)).fetchone()
        assert await append(connection, *[Given(HERE)] * 50) == list(range(10, 60))
        await connection.execute("SELECT pg_stat_force_next_flush()")
        assert await (await admin.execute(scans)).fetchone() == before


async def test_its_rights_are_the_callers(database: Database) -> None:
    """It is for Message DB's role alone, and can do nothing that the role cannot."""
    async with administrator(database) as admin, await member(database) as connection:
        found = await admin.execute(
            "SELECT prosecdef, proacl::text, proowner::regrole::text FROM pg_proc WHERE proname = 'append_undisputed'"
        )
        assert await found.fetchone() == (False, "{postgres=X/postgres,message_store=X/postgres}", "postgres")
        await admin.execute("REVOKE INSERT ON messages FROM message_store")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await append(connection, Given(HERE))


@pytest.fixture(params=["both functions", "only that of 0.3.0"])
async def installed(request: pytest.FixtureRequest, database: Database) -> Database:
    """A database that this release has set up, or one that it has not set up yet."""
    if request.param != "both functions":
        await execute(
            database,
            "DROP FUNCTION perdure.append_undisputed(uuid[], text[], text[], text[], text[], bigint[])",
        )
    return database


async def test_many_are_one_transaction_with_either_function(
    installed: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """A database that was set up by an older release lacks one of the two, and is written to all the same."""
    entries = [entry() for _ in range(20)]
    async with PostgresEventLog.connect(installed.url) as log:
        async with locked(installed, stream):
            first = asyncio.create_task(log.append(stream, entry()))
            await waiting_writer(installed)
            tasks = [asyncio.create_task(log.append(stream, each, number)) for number, each in enumerate(entries)]
            await asyncio.sleep(0)
        assert await asyncio.gather(first, *tasks) == [Appended(position) for position in range(21)]
    assert await transactions(installed) == [1, 20]
