"""What the log in PostgreSQL promises besides: broken connections, limits, rights, and other people's rows."""

import asyncio
from typing import LiteralString
from uuid import uuid4

import pytest
from psycopg.conninfo import make_conninfo

from eventlog.events import SessionPaused, UnknownEvent
from eventlog.ids import new_thread_id
from eventlog.log import (
    AlreadyAppended,
    Appended,
    EntryRejected,
    IdConflict,
    LogCorrupted,
    LogMisconfigured,
    LogUnavailable,
    VersionConflict,
)
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from eventlog.streams import Category, StreamName, stream_of
from llm.messages import JsonObject
from tests.conftest import Database
from tests.contract.administrator import administrator, execute, locked, waiting_writer
from tests.contract.conftest import MakeEntry
from tests.contract.proxy import Breakage, proxied

pytestmark = pytest.mark.parametrize("appends", ["together", "singly"], indirect=True)

ONE = PoolTerms(max_size=1)


# -- broken connections ---------------------------------------------------------------------------


async def test_connections_that_died_between_appends_are_replaced(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """The pool finds out before anyone is handed a dead connection, so nobody notices."""
    async with PostgresEventLog.connect(database.url) as log:
        for position in range(5):
            assert await log.append(stream, entry()) == Appended(position)
            await execute(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'message_store' AND datname = current_database()",
            )
        assert len([recorded async for recorded in log.read(stream)]) == 5


async def test_a_backend_that_is_killed_during_an_append_is_survived(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """The killed write is made again, once."""
    async with locked(database, stream):
        append = asyncio.create_task(postgres_log.append(stream, entry(), -1))
        await execute(database, "SELECT pg_terminate_backend(%s)", await waiting_writer(database))
    assert await append == Appended(0)
    assert await postgres_log.version(stream) == 0


@pytest.mark.parametrize("breakages", [["before"], ["after"], ["before", "after"], ["before", "before"]])
@pytest.mark.parametrize("expected_version", [None, -1])
async def test_a_lost_answer_is_asked_for(
    database: Database, stream: StreamName, entry: MakeEntry, breakages: list[Breakage], expected_version: int | None
) -> None:
    """Whether the write was committed before the connection broke or never sent: it is there once, and it is ours."""
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        proxy.breakages = list(breakages)
        assert await log.append(stream, entry(), expected_version) == Appended(0)
        assert (proxy.broken, await log.version(stream)) == (len(breakages), 0)


async def test_what_another_attempt_wrote_is_not_claimed(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """After a lost answer, the same content with other metadata was written by somebody else."""
    written = entry()
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        await postgres_log.append(stream, written)
        proxy.breakages = ["before"]
        outcome = await log.append(stream, entry(written.event, id_=written.id, attempt=2), -1)
        assert isinstance(outcome, AlreadyAppended)
        proxy.breakages = ["before"]
        outcome = await log.append(stream, entry(SessionPaused(by="bob"), id_=written.id), -1)
        assert isinstance(outcome, IdConflict)


async def test_a_conflict_after_a_lost_connection_is_still_a_conflict(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """A write that never arrived and lost its place to another is answered with the actual version."""
    await postgres_log.append(stream, entry())
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        proxy.breakages = ["before"]
        assert await log.append(stream, entry(), -1) == VersionConflict(-1, 0)


async def test_connections_that_break_again_and_again_end_in_an_error(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """The tries are bounded; repeated later, the same append tells what became of it."""
    written = entry()
    terms = PoolTerms(pauses=(0.0, 0.01))
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url, terms) as log:
        proxy.breakages = ["before"] * 99
        with pytest.raises(LogUnavailable, match="lost"):
            await log.append(stream, written)
        assert proxy.broken == 3
        proxy.breakages = []
        assert await log.append(stream, written) == Appended(0)


async def test_a_database_that_was_away_is_found_again(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """While it is away the log says so; as soon as it is back the same log works."""
    terms = PoolTerms(acquire=0.3, pauses=(0.0,))
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url, terms) as log:
        for position in range(3):
            assert await log.append(stream, entry()) == Appended(position)
            proxy.away()
            with pytest.raises(LogUnavailable):
                await log.append(stream, entry())
            proxy.back()


async def test_a_cancelled_append_leaves_the_connection_fit(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Nothing of a cancelled write happens later, its connection serves the next, and repeating it writes it."""
    cancelled = entry()
    async with PostgresEventLog.connect(database.url, ONE) as log:
        async with locked(database, stream):
            append = asyncio.create_task(log.append(stream, cancelled))
            await waiting_writer(database)
            append.cancel()
            with pytest.raises(asyncio.CancelledError):
                await append
        assert await log.append(stream, entry(), -1) == Appended(0)
        assert await log.append(stream, cancelled) == Appended(1)


async def test_cancelling_at_any_moment_never_lies(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """However far a cancelled append came, repeating it finds it or writes it, and it is there once."""
    async with PostgresEventLog.connect(database.url, ONE) as log:
        for turns in range(40):
            written = entry()
            append = asyncio.create_task(log.append(stream, written))
            for _ in range(turns):
                await asyncio.sleep(0)
            append.cancel()
            await asyncio.gather(append, return_exceptions=True)
            outcome = await log.append(stream, written)
            assert isinstance(outcome, Appended | AlreadyAppended)
            assert outcome.position == turns
        assert await log.version(stream) == 39


# -- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        (PoolTerms(lock=0.1), "55P03"),  # somebody holds the category up
        (PoolTerms(statement=0.1), "57014"),  # the statement takes too long
    ],
)
async def test_waiting_has_an_end(
    database: Database, stream: StreamName, entry: MakeEntry, terms: PoolTerms, state: str
) -> None:
    """A writer that is held up gives up, says so by SQLSTATE, and has written nothing."""
    async with PostgresEventLog.connect(database.url, terms) as log:
        async with locked(database, stream):
            with pytest.raises(LogUnavailable, match=state):
                await log.append(stream, entry())
        assert await log.append(stream, entry()) == Appended(0)


async def test_a_pool_without_a_free_connection_says_so(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Whoever waits too long for a connection is told that it is the pool."""
    async with PostgresEventLog.connect(database.url, PoolTerms(max_size=1, acquire=0.2)) as log:
        async with locked(database, stream):
            append = asyncio.create_task(log.append(stream, entry()))
            await waiting_writer(database)
            with pytest.raises(LogUnavailable, match="no connection to the database is free"):
                await log.version(stream)
        assert await append == Appended(0)


async def test_an_entry_that_is_too_large_is_rejected_before_it_is_sent(
    postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Its size and the limit are named."""
    with pytest.raises(EntryRejected, match=r"SessionPaused has 67,\d{3},\d{3} bytes of JSON and an entry at most"):
        await postgres_log.append(stream, entry(SessionPaused(by="x" * 67_200_000)))


async def test_a_large_entry_is_kept(postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Three megabytes in one string go in and come out."""
    event = SessionPaused(by="☃" * 1_000_000)
    await postgres_log.append(stream, entry(event))
    assert [recorded.event async for recorded in postgres_log.read(stream)] == [event]


async def test_ten_thousand_events_are_read_whole(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName
) -> None:
    """A thread of ten thousand events comes back in order, from the start and from the middle."""
    await execute(
        database,
        "SELECT write_message(gen_random_uuid()::text, %s, 'SessionResumed', '{\"by\": \"ana\"}')"
        " FROM generate_series(1, 10000)",
        stream,
    )
    assert [recorded.position async for recorded in postgres_log.read(stream)] == list(range(10_000))
    assert [recorded.position async for recorded in postgres_log.read(stream, 4_321)] == list(range(4_321, 10_000))
    found = [recorded.position async for recorded in postgres_log.read_category(Category("agent:v1"))]
    assert found == list(range(10_000))


# -- rights and set-up ----------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE messages SET type = 'x'", "DELETE FROM messages", "TRUNCATE messages"])
async def test_the_log_cannot_rewrite_history(
    database: Database, stream: StreamName, entry: MakeEntry, statement: LiteralString
) -> None:
    """Even where the address names the superuser, the database refuses the log's connections anything but appends."""
    async with PostgresEventLog.connect(database.admin_url) as log:
        await log.append(stream, entry())
        with pytest.raises(LogMisconfigured, match="42501"):
            await log._statements.rows(statement)
        assert await log.version(stream) == 0


async def test_missing_rights_are_named(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """A role that may not append is told what it needs."""
    async with PostgresEventLog.connect(database.url) as log:
        await execute(database, "REVOKE INSERT ON messages FROM message_store")
        with pytest.raises(LogMisconfigured, match="rights Message DB grants"):
            await log.append(stream, entry())


async def test_a_database_without_message_db_is_named(database: Database) -> None:
    """Opening the log says that Message DB is missing."""
    with pytest.raises(LogMisconfigured, match=r"Message DB 1\.3 is not installed"):
        async with PostgresEventLog.connect(make_conninfo(database.admin_url, dbname="postgres")):
            pass


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"host": "127.0.0.1", "port": 1}, "Connection refused"),
    ],
)
async def test_a_wrong_address_is_named(database: Database, changes: dict[str, str], problem: str) -> None:
    """Opening the log says at once what is wrong with the address."""
    with pytest.raises(LogUnavailable, match=problem):
        async with PostgresEventLog.connect(make_conninfo(database.url, **changes)):
            pass


async def test_an_unreadable_address_is_refused_without_repeating_it() -> None:
    """The message says how an address is written and does not show the password."""
    with pytest.raises(LogMisconfigured, match="postgresql://user") as caught:
        async with PostgresEventLog.connect("ana:secret"):
            pass
    assert "secret" not in str(caught.value)


async def test_a_sequence_that_is_behind_is_named(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """After a restore without its sequence the log says how to repair it, and takes it for no conflict."""
    await postgres_log.append(stream, entry())
    await execute(database, "SELECT setval('messages_global_position_seq', 1, false)")
    with pytest.raises(LogMisconfigured, match="setval"):
        await postgres_log.append(stream, entry())


async def test_a_stricter_isolation_changes_nothing(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """Where the database's default is serializable, conflicts are still told by their versions."""
    async with administrator(database) as admin:
        name = admin.info.dbname
        await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'.encode())
    async with PostgresEventLog.connect(database.url) as log:
        for version in range(-1, 3):
            outcomes = await asyncio.gather(*(log.append(stream, entry(), version) for _ in range(8)))
            assert outcomes.count(Appended(version + 1)) == 1
            assert outcomes.count(VersionConflict(version, version + 1)) == 7


async def test_what_the_address_says_stands(database: Database) -> None:
    """An application name in the address is kept; the log's session settings are added to the address's own."""
    url = make_conninfo(database.url, application_name="mine", options="-c work_mem=5MB")
    async with PostgresEventLog.connect(url) as log:
        shown = await log._statements.rows(
            "SELECT current_setting('application_name'), current_setting('work_mem'), current_user::text,"
            " current_setting('transaction_isolation'), current_setting('lock_timeout')"
        )
    assert shown == [("mine", "5MB", "message_store", "read committed", "10s")]


async def test_a_closed_log_says_so(database: Database, stream: StreamName) -> None:
    """Whoever uses it after its block is told."""
    async with PostgresEventLog.connect(database.url) as log:
        pass
    with pytest.raises(LogUnavailable, match="the log is closed"):
        await log.version(stream)


async def test_a_refusal_nobody_can_explain_is_waited_out(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Where the id is free and the version right, a rule of somebody else's refuses: without it the append succeeds."""
    await execute(
        database,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'Wrong expected version: 1'; END $$",
    )
    await execute(database, "CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse()")
    for expected_version in (None, -1):
        with pytest.raises(LogUnavailable, match="P0001") as caught:
            await postgres_log.append(stream, entry(), expected_version)
        assert "message_store.messages" in str(caught.value.remedy)
    await execute(database, "DROP TRIGGER refuse ON messages")
    assert await postgres_log.append(stream, entry()) == Appended(0)


# -- other people's rows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, {}),
        ('{"type": "x", "amount": 1.10}', {"type": "x", "amount": 1.1}),
        ("[1, 2]", {"value": [1, 2]}),
        ('"text"', {"value": "text"}),
        ('{"huge": 1E400, "small": 1E-7}', {"huge": 10**400, "small": 1e-07}),
        ('{"huger": 1E5000}', {"huger": 10**5000}),
        ('{"odd": ["␛", "␛zzzz", "␛=", "␛=abc", "␛="]}', {"odd": ["␛", "␛zzzz", "␛=", "␛=abc", "␛="]}),
    ],
)
async def test_rows_of_other_programs_are_shown_as_they_are(
    database: Database, postgres_log: PostgresEventLog, data: str | None, expected: JsonObject
) -> None:
    """An unknown type is read whatever its data and metadata are; where no time is told, the database's is taken."""
    for metadata in (None, "{}", '{"at": "yesterday"}', '{"correlationStreamName": "a-1"}', "[]"):
        stream = stream_of(new_thread_id())
        await execute(database, "SELECT write_message(%s, %s, 'Theirs', %s, %s)", str(uuid4()), stream, data, metadata)
        [recorded] = [recorded async for recorded in postgres_log.read(stream)]
        assert recorded.event == UnknownEvent(type_name="Theirs", data=expected)
        assert recorded.metadata.at == recorded.time


async def test_fields_of_newer_code_are_ignored(database: Database, postgres_log: PostgresEventLog) -> None:
    """A known event with fields this code does not know is read without them, nested ones too."""
    stream = StreamName("agent:v1-1")
    data = '{"by": "ana", "mood": "good", "type": "SessionPaused2"}'
    metadata = '{"at": "2026-11-20T09:30:00Z", "region": "eu", "schema_version": 2}'
    await execute(
        database, "SELECT write_message(%s, %s, 'SessionPaused', %s, %s)", str(uuid4()), stream, data, metadata
    )
    [recorded] = [recorded async for recorded in postgres_log.read(stream)]
    assert recorded.event == SessionPaused(by="ana")


@pytest.mark.parametrize(
    ("data", "metadata", "problem"),
    [
        ('{"reason": "secret"}', None, "by: Field required"),
        ('{"by": ["secret"]}', None, "by: Input should be a valid string"),
        ("[]", None, "the data is list, not a JSON object"),
        (None, None, "the data is NoneType"),
        ('{"by": "ana"}', '{"at": "yesterday"}', "at: Input should be a valid datetime"),
    ],
)
async def test_a_known_event_that_does_not_validate_is_named(
    database: Database, postgres_log: PostgresEventLog, data: str | None, metadata: str | None, problem: str
) -> None:
    """The error says which event, where it stands and what is wrong, and shows none of its content."""
    await execute(
        database, "SELECT write_message(%s, 'agent:v1-1', 'SessionPaused', %s, %s)", str(uuid4()), data, metadata
    )
    with pytest.raises(LogCorrupted, match=problem) as caught:
        await anext(aiter(postgres_log.read(StreamName("agent:v1-1"))))
    assert "SessionPaused at position 0 of agent:v1-1" in str(caught.value)
    assert "secret" not in str(caught.value)
