"""Consumers of the log: each event once and in order, by one process at a time, whatever becomes of the processes."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from eventlog.consumer import Consumer, Follower, Pace, Spoilt, following
from eventlog.events import SessionPaused, SessionResumed
from eventlog.feed import HoldLost, Statement
from eventlog.ids import new_thread_id
from eventlog.log import LogUnavailable, Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import AGENT, StreamName, stream_of
from tests.conftest import Database
from tests.contract.conftest import MakeEntry
from tests.contract.proxy import Breakage, proxied

PATIENCE = 30.0
SWIFT = Pace(batch=7, poll=0.01, hold=1.0, tries=(0.0,), wait=0.05, wait_for_repair=0.05)


@pytest.fixture
async def database(database: Database) -> Database:
    """A fresh database with a table of the test's own."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as admin:
        columns = "ordinal bigserial, said text constraint bearable check (said <> 'unbearable'), reader text"
        await admin.execute(f"create table perdure.seen ({columns})")
        await admin.execute("grant all on table perdure.seen to message_store")
        await admin.execute("grant all on sequence perdure.seen_ordinal_seq to message_store")
    return database


@dataclass
class Reader:
    """Writes down what it sees, in the database; spoilt by some of it."""

    name: str = "reader"
    spoilt_by: str = "nothing"
    set_aside: list[Spoilt] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    slow: asyncio.Event | None = None
    """Holds it up until it is set."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, events: Sequence[Recorded]) -> Sequence[Statement]:
        """One row for each event."""
        self.batches.append(len(events))
        self.reached.set()
        if self.slow is not None:
            await self.slow.wait()
        said = [_said(event) for event in events]
        if self.spoilt_by in said:
            raise ValueError(f"cannot bear {self.spoilt_by}")
        query = "insert into perdure.seen (said, reader) values (%s, %s)"
        return [Statement(query, (each, self.name)) for each in said]

    async def put_aside(self, spoilt: Spoilt) -> Sequence[Statement]:
        """Remember it."""
        self.set_aside.append(spoilt)
        return ()

    def follower(self, log: PostgresEventLog, **wanted: Any) -> Follower:
        """A process that runs it."""
        return Follower(log.feed, Consumer("reader", self.handle, **wanted), self.put_aside, SWIFT)


def _said(recorded: Recorded) -> str:
    assert isinstance(recorded.event, SessionPaused | SessionResumed)
    return recorded.event.by


async def seen(database: Database) -> list[tuple[str, str]]:
    """What readers have written down, in order, and who did."""
    async with await psycopg.AsyncConnection.connect(database.admin_url) as admin:
        rows = await admin.execute("select said, reader from perdure.seen order by ordinal")
        return [(str(said), str(reader)) for said, reader in await rows.fetchall()]


async def until_seen(database: Database, count: int) -> list[tuple[str, str]]:
    """The same, as soon as there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await seen(database)) < count:
            await asyncio.sleep(0.01)
    return found


async def say(log: PostgresEventLog, entry: MakeEntry, words: Sequence[str], stream: StreamName | None = None) -> None:
    """One event for each word."""
    stream = stream or stream_of(new_thread_id())
    for word in words:
        await log.append(stream, entry(SessionPaused(by=word)))


@asynccontextmanager
async def another_log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """What another process would have."""
    async with PostgresEventLog.connect(database.url) as log:
        yield log


async def test_every_event_comes_once_and_in_order(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """What was there before the consumer and what comes while it runs are dealt with once each, in the log's order."""
    words = [f"w{number}" for number in range(40)]
    await say(postgres_log, entry, words[:25])
    async with following(Reader().follower(postgres_log)):
        await until_seen(database, 25)
        await say(postgres_log, entry, words[25:])
        found = await until_seen(database, 40)
    assert [said for said, _ in found] == words


async def test_a_consumer_goes_on_where_it_stood(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """Started again, also in another process, it does not look at what it has dealt with."""
    await say(postgres_log, entry, ["a", "b"])
    assert await Reader().follower(postgres_log).catch_up()
    await say(postgres_log, entry, ["c"])
    later = Reader("later")
    async with another_log(database) as other:
        assert await later.follower(other).catch_up()
    assert await seen(database) == [("a", "reader"), ("b", "reader"), ("c", "later")]
    assert later.batches == [1]


async def test_writers_at_work_hide_nothing(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """With many writing at the same time, and gaps from refused writes, no event is passed over."""
    words = [[f"{writer}.{number}" for number in range(30)] for writer in range(12)]

    async def write(mine: Sequence[str]) -> None:
        stream = stream_of(new_thread_id())
        for number, word in enumerate(mine):
            await postgres_log.append(stream, entry(SessionPaused(by=word)), expected_version=number - 1)
            await postgres_log.append(stream, entry(SessionPaused(by="refused")), expected_version=999)

    async with following(Reader().follower(postgres_log)):
        await asyncio.gather(*map(write, words))
        found = await until_seen(database, 360)
    assert sorted(said for said, _ in found) == sorted(word for mine in words for word in mine)


async def test_many_processes_make_each_event_once(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """However many run a consumer, and come and go in the middle of batches, each event is made once."""
    words = [f"w{number}" for number in range(120)]
    async with AsyncExitStack() as processes:
        logs = [await processes.enter_async_context(another_log(database)) for _ in range(3)]

        async def come_and_go(name: str, log: PostgresEventLog) -> None:
            lives = itertools.cycle((0.0, 0.001, 0.1))  # seconds after a batch came: most die within it
            while len(await seen(database)) < len(words):
                reader = Reader(name)
                async with following(reader.follower(log)):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.reached.wait(), 0.05)
                    await asyncio.sleep(next(lives))

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                say(postgres_log, entry, words), *(come_and_go(f"p{at}", log) for at, log in enumerate(logs))
            )
    assert [said for said, _ in await seen(database)] == words


async def test_a_dead_process_is_succeeded(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """Who holds the place and says nothing more loses it, and what it had begun is made once, by its successor."""
    await say(postgres_log, entry, ["a", "b"])
    hold = await postgres_log.feed.take("reader", uuid4(), 0.2, AGENT, from_now=False)
    assert hold is not None
    assert not await Reader("successor").follower(postgres_log).catch_up()
    async with following(Reader("successor").follower(postgres_log)):
        found = await until_seen(database, 2)
        with pytest.raises(HoldLost):
            await postgres_log.feed.advance(hold, 2, [])
    assert found == [("a", "successor"), ("b", "successor")]


async def test_a_slow_process_keeps_its_place(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """Whoever is alive is not succeeded, however long one batch takes."""
    await say(postgres_log, entry, ["a"])
    slow = Reader("slow", slow=asyncio.Event())
    async with another_log(database) as other, following(slow.follower(postgres_log)):
        await slow.reached.wait()
        row = await _row(database)
        async with asyncio.timeout(PATIENCE):
            while (await _row(database))[1] == row[1]:
                assert not await Reader("other").follower(other).catch_up()
        assert slow.slow is not None
        slow.slow.set()
        assert await until_seen(database, 1) == [("a", "slow")]


async def test_a_batch_is_made_whole_or_not_at_all(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """A process that dies in the middle of a batch leaves nothing of it."""
    await say(postgres_log, entry, ["a", "b", "c"])
    dying = Reader("dying", slow=asyncio.Event())
    async with following(dying.follower(postgres_log)):
        await dying.reached.wait()
    assert await seen(database) == []
    assert await Reader("next").follower(postgres_log).catch_up()
    assert await seen(database) == [("a", "next"), ("b", "next"), ("c", "next")]


@pytest.mark.parametrize("breakage", ["before", "during", "after"])
async def test_a_connection_that_is_lost_at_the_commit_leaves_no_doubt(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry, breakage: Breakage
) -> None:
    """Whether or not the database had committed when nobody heard it, each event is made once."""
    words = [f"w{number}" for number in range(20)]
    await say(postgres_log, entry, words)
    with capture_logs():
        async with proxied(database.url, re.compile(rb"COMMIT")) as (proxy, url), PostgresEventLog.connect(url) as log:
            proxy.breakages = [breakage, breakage]
            async with following(Reader().follower(log)):
                found = await until_seen(database, 20)
            assert proxy.broken == 2
    assert [said for said, _ in found] == words


async def test_what_cannot_be_dealt_with_is_set_aside(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """One event that spoils its batch is tried again, set aside, and harms no other."""
    await say(postgres_log, entry, ["a", "poison", "b"])
    reader = Reader(spoilt_by="poison")
    assert await reader.follower(postgres_log).catch_up()
    assert [said for said, _ in await seen(database)] == ["a", "b"]
    [spoilt] = reader.set_aside
    assert (spoilt.consumer, spoilt.tries, spoilt.row.position) == ("reader", 2, 1)
    assert spoilt.problem == "ValueError: cannot bear poison"


async def test_what_the_database_refuses_is_set_aside(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """An event whose statement is refused spoils nothing either."""
    await say(postgres_log, entry, ["a", "unbearable", "b"])
    reader = Reader()
    assert await reader.follower(postgres_log).catch_up()
    assert [said for said, _ in await seen(database)] == ["a", "b"]
    [spoilt] = reader.set_aside
    assert "bearable" in spoilt.problem


async def test_what_is_no_event_is_set_aside(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry, stream: StreamName
) -> None:
    """A row that somebody else wrote and nobody can read does not stop a consumer."""
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as somebody:
        await somebody.execute("set search_path to message_store")
        await somebody.execute(
            "select write_message(gen_random_uuid()::varchar, %s, 'SessionPaused', '{\"by\": 7}')", (stream,)
        )
    await say(postgres_log, entry, ["a"])
    reader = Reader()
    assert await reader.follower(postgres_log).catch_up()
    assert [said for said, _ in await seen(database)] == ["a"]
    [spoilt] = reader.set_aside
    assert spoilt.problem.startswith("LogCorrupted: SessionPaused at position 0")


async def test_nothing_is_stepped_over_that_was_not_kept(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """Where an event cannot even be set aside, the consumer waits with it, and goes on when it can."""
    await say(postgres_log, entry, ["poison", "a"])
    reader, kept = Reader(spoilt_by="poison"), asyncio.Event()
    failed = asyncio.Event()

    async def put_aside(spoilt: Spoilt) -> Sequence[Statement]:
        failed.set()
        if not kept.is_set():
            raise OSError("nowhere to put it")
        return await reader.put_aside(spoilt)

    consumer = Consumer("reader", reader.handle)
    with capture_logs():
        async with following(Follower(postgres_log.feed, consumer, put_aside, SWIFT)):
            await failed.wait()
            assert await seen(database) == []
            kept.set()
            await until_seen(database, 1)
    assert len(reader.set_aside) == 1


async def test_a_database_that_is_away_is_waited_for(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """It is nobody's fault and held against no event."""
    await say(postgres_log, entry, ["a"])
    reader, times = Reader(), 0

    async def handle(events: Sequence[Recorded]) -> Sequence[Statement]:
        nonlocal times
        times += 1
        if times < 4:
            raise LogUnavailable("away")
        return await reader.handle(events)

    with capture_logs():
        async with following(Follower(postgres_log.feed, Consumer("reader", handle), reader.put_aside, SWIFT)):
            await until_seen(database, 1)
    assert not reader.set_aside


async def test_a_database_without_our_tables_is_waited_for(plain_log: PostgresEventLog) -> None:
    """It is told, and the process goes on with its other work."""
    with capture_logs() as lines:
        async with following(Reader().follower(plain_log)), asyncio.timeout(PATIENCE):
            while not lines:
                await asyncio.sleep(0.01)
    assert lines[0]["event"] == "consumer_waits"


async def test_a_consumer_sees_what_it_asks_for(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry, stream: StreamName
) -> None:
    """Events of other types are passed over, and so are those from before its first start where it wants it so."""
    await say(postgres_log, entry, ["old"])
    reader = Reader()
    follower = reader.follower(postgres_log, types=["SessionResumed"], from_now=True)
    assert await follower.catch_up()
    await say(postgres_log, entry, ["paused"])
    await postgres_log.append(stream, entry(SessionResumed(by="resumed")))
    assert await follower.catch_up()
    assert [said for said, _ in await seen(database)] == ["resumed"]
    assert reader.batches == [1]


async def test_large_content_is_in_the_events(database: Database, entry: MakeEntry) -> None:
    """What is kept beside the log is put back before a consumer sees it."""
    large = "x" * 20_000
    async with PostgresEventLog.connect(database.url, limit=10_000) as log:
        await say(log, entry, [large])
        assert await Reader().follower(log).catch_up()
    assert await seen(database) == [(large, "reader")]


async def test_the_lag_is_told(postgres_log: PostgresEventLog, entry: MakeEntry, database: Database) -> None:
    """How many events a consumer has not dealt with is known, whether or not it ever ran."""
    await say(postgres_log, entry, ["a", "b"])
    before = await postgres_log.feed.lag("reader", AGENT)
    assert (before.events, before.position) == (2, None)
    await Reader().follower(postgres_log).catch_up()
    assert (await postgres_log.feed.lag("reader", AGENT)).events == 0
    assert len(await seen(database)) == 2


async def test_a_consumer_is_rewound_with_what_it_made(
    postgres_log: PostgresEventLog, database: Database, entry: MakeEntry
) -> None:
    """It begins again before the first event, also while a process runs it or waits, and makes each event again."""
    words = [f"w{number}" for number in range(30)]
    await say(postgres_log, entry, words)
    async with following(Reader("first").follower(postgres_log)):
        await until_seen(database, 10)
        await postgres_log.feed.rewind("reader", [Statement("delete from perdure.seen")])
        await until_seen(database, 30)
        await postgres_log.feed.rewind("reader", [Statement("delete from perdure.seen")])
        found = await until_seen(database, 30)
    assert [said for said, _ in found] == words


async def _row(database: Database) -> tuple[Any, ...]:
    async with await psycopg.AsyncConnection.connect(database.admin_url) as admin:
        found = await (await admin.execute("select position, held_until from perdure.consumers")).fetchone()
        assert found is not None
        return found
