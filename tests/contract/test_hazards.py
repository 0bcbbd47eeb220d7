"""The fifteen ways in which Message DB has been seen to hurt, each with the test that it does not hurt us.

One is not ours yet: 11, consumer groups (slow, uneven, unfenced). The log has none; what it reads by category it reads
whole. The first consumer brings its test. Of 6, pipelines, the log uses none; what is tested is the same harm, a
failing event that takes its neighbours with it.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from eventlog.events import SessionPaused, UnknownEvent
from eventlog.ids import event_id, new_thread_id
from eventlog.log import NO_STREAM, PAGE, AlreadyAppended, Appended, LogMisconfigured, LogUnavailable, VersionConflict
from eventlog.metadata import Metadata
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from eventlog.queries import APPEND_BATCH
from eventlog.streams import Category, InvalidName, StreamName, category, stream_of
from tests.conftest import Database
from tests.contract.administrator import administrator, execute, locked
from tests.contract.conftest import Appends, MakeEntry
from tests.contract.proxy import proxied

pytestmark = pytest.mark.parametrize("appends", ["together", "singly"], indirect=True)

V1, V2 = Category("agent:v1"), Category("agent:v2")


@asynccontextmanager
async def member(database: Database) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """The restricted role as any program may connect as it, with nothing set."""
    async with await AsyncConnection.connect(database.url, autocommit=True) as connection:
        yield connection


# -- 1 · late commits -----------------------------------------------------------------------------


async def test_a_reader_of_a_category_misses_nothing(database: Database, entry: MakeEntry) -> None:
    """Twelve writers, some of whom hold their transactions open: a reader who only goes forward sees every event."""
    names = [StreamName(f"agent:v1-{number}") for number in range(12)]
    chance = random.Random(7)

    async def ours(log: PostgresEventLog, stream: StreamName) -> None:
        for _ in range(30):
            await log.append(stream, entry())

    async def slow(connection: AsyncConnection[TupleRow], stream: StreamName) -> None:
        for _ in range(30):
            async with connection.transaction():
                await connection.execute(
                    "SELECT message_store.write_message(gen_random_uuid()::text, %s, 'Said', '{}')", (stream,)
                )
                await connection.execute("SELECT pg_sleep(%s)", (chance.random() / 200,))

    async with AsyncExitStack() as exits:
        logs = [await exits.enter_async_context(PostgresEventLog.connect(database.url)) for _ in range(3)]
        others = [await exits.enter_async_context(member(database)) for _ in range(4)]
        for other in others:
            await other.execute("SET search_path = message_store")
        writing = asyncio.gather(
            *(ours(logs[number % 3], stream) for number, stream in enumerate(names[:8])),
            *(slow(other, stream) for other, stream in zip(others, names[8:], strict=True)),
        )
        seen = await _follow(logs[0], V1, 12 * 30)
        await writing
        whole = [recorded.global_position async for recorded in logs[0].read_category(V1)]
    assert seen == whole


async def _follow(log: PostgresEventLog, category_: Category, count: int) -> list[int]:
    """So many events of a category, each read once, from a checkpoint that only grows."""
    seen: list[int] = []
    while len(seen) < count:
        seen += [each.global_position async for each in log.read_category(category_, seen[-1] + 1 if seen else 1)]
    return seen


async def test_checkpoints_are_kept_by_category(database: Database, entry: MakeEntry) -> None:
    """A position in one category says nothing of another, where an earlier one may still become visible."""
    async with PostgresEventLog.connect(database.url) as log, member(database) as slow:
        await slow.execute("SET search_path = message_store")
        async with slow.transaction():
            await slow.execute("SELECT write_message(gen_random_uuid()::text, 'agent:v1-1', 'Said', '{}')")
            await log.append(StreamName("agent:v2-1"), entry())
            [later] = [recorded.global_position async for recorded in log.read_category(V2)]
            assert [recorded async for recorded in log.read_category(V1)] == []
        [earlier] = [recorded.global_position async for recorded in log.read_category(V1)]
    assert earlier < later


# -- 2 · a retry looks like a conflict ------------------------------------------------------------


async def test_a_retry_is_no_conflict(database: Database, entry: MakeEntry) -> None:
    """A step that runs again after its answer was lost makes the same id and finds its events, alone or among many."""
    thread = new_thread_id()
    entries = [entry(SessionPaused(by="ana"), id_=event_id(thread, 1_700_000_000_000, str(step))) for step in range(6)]
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        proxy.breakages = ["after", "before", "after"]
        first = await asyncio.gather(*(log.append(stream_of(thread), each, at - 1) for at, each in enumerate(entries)))
        assert first == [Appended(position) for position in range(6)]
        again = await asyncio.gather(*(log.append(stream_of(thread), each, at - 1) for at, each in enumerate(entries)))
        assert [type(outcome) for outcome in again] == [AlreadyAppended] * 6
        assert await log.version(stream_of(thread)) == 5


# -- 3 · somebody sits in a transaction -----------------------------------------------------------


async def test_who_sits_in_a_transaction_does_not_hold_us_up_for_ever(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """All who wait are told by SQLSTATE in time, and written when they come again."""
    entries = [entry() for _ in range(5)]
    async with PostgresEventLog.connect(database.url, PoolTerms(lock=0.2)) as log:
        async with locked(database, stream):
            answers = await asyncio.gather(*(log.append(stream, each) for each in entries), return_exceptions=True)
            assert all(isinstance(answer, LogUnavailable) and "55P03" in str(answer) for answer in answers)
        again = await asyncio.gather(*(log.append(stream, each) for each in entries))
        assert again == [Appended(position) for position in range(5)]


async def test_we_never_sit_in_a_transaction(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Between two statements no connection of the log is in one, and the server ends those that would be."""
    await asyncio.gather(*(postgres_log.append(stream, entry()) for _ in range(20)))
    reading = postgres_log.read(stream)
    await anext(reading)
    async with administrator(database) as admin:
        states = await admin.execute(
            "SELECT DISTINCT state FROM pg_stat_activity"
            " WHERE application_name = 'perdure' AND datname = current_database()"
        )
        assert await states.fetchall() == [("idle",)]
    limits = await postgres_log._statements.rows(
        "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('statement_timeout')"
    )
    assert limits == [("10s", "1min")]


# -- 4 · two categories in one transaction --------------------------------------------------------


async def test_categories_in_opposite_orders_do_not_lock_each_other_out(
    database: Database, entry: MakeEntry, appends: Appends
) -> None:
    """Four logs write to the same categories, each in its own order; and so do transactions of many categories."""
    names = [StreamName(f"agent:v{number}-1") for number in range(1, 5)]
    async with AsyncExitStack() as exits:
        logs = [await exits.enter_async_context(PostgresEventLog.connect(database.url)) for _ in range(4)]
        rounds = [(log, names[turn:] + names[:turn]) for turn, log in enumerate(logs)]
        await asyncio.gather(*(log.append(name, entry()) for _ in range(10) for log, order in rounds for name in order))
        assert [await logs[0].version(name) for name in names] == [39] * 4
        if appends == "together":
            many = [await exits.enter_async_context(member(database)) for _ in range(4)]
            await asyncio.gather(*(_mixed(one, order) for one, (_, order) in zip(many, rounds, strict=True)))
            assert [await logs[0].version(name) for name in names] == [39 + 80] * 4


async def _mixed(connection: AsyncConnection[TupleRow], order: list[StreamName]) -> None:
    for _ in range(20):
        count = len(order)
        ids: list[Any] = [uuid4() for _ in order]
        columns = (ids, order, ["Said"] * count, ["{}"] * count, ["{}"] * count, [None] * count)
        await connection.execute(APPEND_BATCH, columns)


# -- 5 · isolation --------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_conflicts_are_conflicts_whatever_the_databases_isolation(
    database: Database, stream: StreamName, entry: MakeEntry, isolation: str
) -> None:
    """Several processes' logs expect the same version of one stream: one wins, the others are told the version."""
    async with administrator(database) as admin:
        name = admin.info.dbname
        await admin.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{isolation}'".encode())
    async with AsyncExitStack() as exits:
        logs = [await exits.enter_async_context(PostgresEventLog.connect(database.url)) for _ in range(3)]
        for version in range(-1, 5):
            outcomes = await asyncio.gather(*(log.append(stream, entry(), version) for log in logs for _ in range(4)))
            assert outcomes.count(Appended(version + 1)) == 1
            assert outcomes.count(VersionConflict(version, version + 1)) == 11


# -- 6 · a failing neighbour ----------------------------------------------------------------------


async def test_a_failure_is_its_own(postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Of many at the same moment, those that conflict or are taken fail, and all others are written."""
    taken = entry()
    await postgres_log.append(stream, taken)
    good = [entry() for _ in range(20)]
    bad = [(entry(), 99), (entry(SessionPaused(by="bob"), id_=taken.id), None)] * 5
    outcomes = await asyncio.gather(
        *(postgres_log.append(stream, each) for each in good),
        *(postgres_log.append(stream, each, version) for each, version in bad),
    )
    assert outcomes[:20] == [Appended(position) for position in range(1, 21)]
    assert not any(isinstance(outcome, Appended) for outcome in outcomes[20:])
    assert await postgres_log.version(stream) == 20


# -- 7 · reads that stop silently -----------------------------------------------------------------


async def test_reads_go_on_past_the_first_page(database: Database, postgres_log: PostgresEventLog) -> None:
    """Message DB's functions stop at a thousand rows without a word; both reads go on, and both ends are inclusive."""
    stream = StreamName("agent:v1-1")
    count = 2 * max(PAGE, 1000) + 1
    async with administrator(database) as admin:
        await admin.execute(
            "SELECT write_message(gen_random_uuid()::text, %s, 'Said', '{}') FROM generate_series(1, %s)",
            (stream, count),
        )
    assert [recorded.position async for recorded in postgres_log.read(stream)] == list(range(count))
    whole = [recorded.global_position async for recorded in postgres_log.read_category(V1)]
    assert len(whole) == count
    part = [recorded.global_position async for recorded in postgres_log.read_category(V1, whole[3], whole[-4])]
    assert part == whole[3:-3]


# -- 8 · time -------------------------------------------------------------------------------------


async def test_order_is_never_told_by_time(
    database: Database, postgres_log: PostgresEventLog, entry: MakeEntry
) -> None:
    """Where the database's clock ran backwards, events stand in the order of their positions; the writer's is kept."""
    stream = StreamName("agent:v1-1")
    entries = [entry() for _ in range(5)]
    for each in entries:
        await postgres_log.append(stream, each)
    await execute(database, "UPDATE messages SET time = time - position * interval '1 hour'")
    recorded = [each async for each in postgres_log.read(stream)]
    assert [each.position for each in recorded] == list(range(5))
    assert [each.time for each in recorded] == sorted((each.time for each in recorded), reverse=True)
    assert [each.metadata.at for each in recorded] == [each.metadata.at for each in entries]
    assert [each.id async for each in postgres_log.read_category(V1)] == [each.id for each in entries]


# -- 9 · jsonb ------------------------------------------------------------------------------------


async def test_content_survives_jsonb(postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry) -> None:
    """What `jsonb` refuses or forgets comes back, many at a time; other key order is the same content."""
    odd = {"nul": "a\0b", "half": "\ud83d", "nan": float("inf"), "float": 1e22, "zero": -0.0, "long": 10**400}
    events = [UnknownEvent(type_name="Odd", data={"n": number, "z": 1, "a": odd}) for number in range(8)]
    entries = [entry(event) for event in events]
    assert all(
        isinstance(each, Appended)
        for each in await asyncio.gather(*(postgres_log.append(stream, each) for each in entries))
    )
    assert [recorded.event async for recorded in postgres_log.read(stream)] == events
    turned = [
        entry(UnknownEvent(type_name="Odd", data=dict(reversed(event.data.items()))), id_=each.id)
        for event, each in zip(events, entries, strict=True)
    ]
    again = await asyncio.gather(*(postgres_log.append(stream, each) for each in turned))
    assert [type(outcome) for outcome in again] == [AlreadyAppended] * 8


async def test_metadata_survives_jsonb(postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Names that people choose may hold anything too."""
    written = entry()
    for name in ("a\0b", "\ud83d", "␛0000", "\\u0000", '"\\', "é😀"):
        metadata = Metadata(at=datetime.now(UTC), principal=name, tenant=name)
        each = type(written)(uuid4(), written.event, metadata)
        outcome = await postgres_log.append(stream, each)
        assert isinstance(outcome, Appended)
        found = await postgres_log.find(each.id)
        assert found
        assert found.metadata == metadata


# -- 10 · names -----------------------------------------------------------------------------------


async def test_names_that_message_db_would_misread_never_reach_it(
    database: Database, postgres_log: PostgresEventLog, entry: MakeEntry
) -> None:
    """A hyphen too early makes another category, a plus sign another cardinal id, a missing thread no stream at all."""
    for name in ("my-agent:v1-1", "agent-1", "agent:v1", "agent:v1-1+2", "agent:v1-" + "x" * 513, "agent:v1-a\n"):
        with pytest.raises(InvalidName):
            await postgres_log.append(StreamName(name), entry())
    async with administrator(database) as admin:
        assert await (await admin.execute("SELECT count(*) FROM messages")).fetchone() == (0,)


async def test_our_category_is_message_dbs(database: Database) -> None:
    """What the log takes for a stream's category is what Message DB locks and reads by, version included."""
    thread = new_thread_id()
    async with administrator(database) as admin:
        found = await admin.execute("SELECT category(%s), cardinal_id(%s)", (stream_of(thread), stream_of(thread)))
        assert await found.fetchone() == (category("agent:v1"), thread)


# -- 12 · notify ----------------------------------------------------------------------------------


async def test_writing_notifies_nobody(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """A NOTIFY in the writing transaction would serialise the commits of the whole database: there is none."""
    await asyncio.gather(*(postgres_log.append(stream, entry()) for _ in range(10)))
    async with administrator(database) as admin:
        hidden = await admin.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'messages'::regclass UNION ALL"
            " SELECT count(*) FROM pg_proc WHERE prosrc ~* 'notify'"
            " AND pronamespace::regnamespace::text IN ('message_store', 'perdure')"
        )
        assert await hidden.fetchall() == [(0,), (0,)]


# -- 13 · gaps ------------------------------------------------------------------------------------


async def test_gaps_are_passed_over(database: Database, postgres_log: PostgresEventLog, entry: MakeEntry) -> None:
    """Numbers that were drawn and never used hold no reader up."""
    for _ in range(3):
        await postgres_log.append(StreamName("agent:v1-1"), entry())
        await execute(database, "SELECT nextval('messages_global_position_seq') FROM generate_series(1, 1500)")
    assert [recorded.position async for recorded in postgres_log.read_category(V1)] == [0, 1, 2]


async def test_what_is_refused_among_many_leaves_no_gap(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry, appends: Appends
) -> None:
    """Our function looks before it draws a number; Message DB's burns one for each id that is taken."""
    old = entry()
    await postgres_log.append(stream, old, NO_STREAM)
    async with locked(database, stream):
        first = asyncio.create_task(postgres_log.append(stream, entry()))
        others = [asyncio.create_task(postgres_log.append(stream, each, 99)) for each in (entry(), old, entry())]
        await asyncio.sleep(0)
    await asyncio.gather(first, *others)
    async with administrator(database) as admin:
        [last] = await (await admin.execute("SELECT last_value FROM messages_global_position_seq")).fetchone() or [0]
    assert last == 2 if appends == "together" else last >= 2


# -- 14 · search_path and poolers -----------------------------------------------------------------


async def test_our_function_needs_no_search_path(database: Database, appends: Appends) -> None:
    """It works on a connection that has none, as behind a pooler that drops settings, where Message DB's does not."""
    async with member(database) as connection:
        await connection.execute("SET search_path = ''")
        with pytest.raises(psycopg.errors.UndefinedFunction):
            await connection.execute("SELECT message_store.write_message('', 'agent:v1-1', 'Said', '{}')")
        if appends == "together":
            await _mixed(connection, [StreamName("agent:v1-1")])


async def test_locks_end_with_their_transaction(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Nothing is kept on a connection that a pooler might hand to somebody else."""
    await asyncio.gather(*(postgres_log.append(stream, entry()) for _ in range(10)))
    async with administrator(database) as admin:
        held = await admin.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        assert await held.fetchone() == (0,)


# -- 15 · append-only -----------------------------------------------------------------------------


async def test_history_is_kept_by_the_database_itself(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """Not by us: also where the address names the superuser, the log's own connections cannot rewrite anything."""
    async with PostgresEventLog.connect(database.admin_url) as log:
        await asyncio.gather(*(log.append(stream, entry()) for _ in range(5)))
        for statement in ("UPDATE messages SET type = 'x'", "DELETE FROM messages", "TRUNCATE messages"):
            with pytest.raises(LogMisconfigured, match="42501"):
                await log._statements.rows(statement)
        assert await log.version(stream) == 4
