"""Appends that share a transaction: each is answered for itself, in order, once, and not before the commit."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import LiteralString

import pytest

from eventlog.appender import AppendTerms
from eventlog.events import SessionPaused
from eventlog.lane import Fill
from eventlog.log import (
    NO_STREAM,
    AlreadyAppended,
    Appended,
    Entry,
    IdConflict,
    LogCorrupted,
    LogError,
    LogUnavailable,
    Outcome,
    VersionConflict,
)
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from eventlog.streams import StreamName
from tests.conftest import Database
from tests.contract.administrator import execute, locked, on_insert, stalled, transactions, waiting_writer
from tests.contract.conftest import MakeEntry, remove_function
from tests.contract.proxy import Breakage, proxied

OTHER = StreamName("agent:v1-other")
"""In the category of `stream`."""
ELSEWHERE = StreamName("agent:v2-1")
"""In another category."""
MALLORY = SessionPaused(by="mallory")

Begin = Callable[..., Awaitable[asyncio.Task[Outcome]]]
"""Begins an append and does not wait for it."""


@asynccontextmanager
async def in_one_batch(database: Database, log: PostgresEventLog, first: Entry) -> AsyncIterator[Begin]:
    """What is begun in the block, by the function it gives, gathers behind a `first` in another stream."""
    async with locked(database, OTHER):
        blocked = asyncio.create_task(log.append(OTHER, first))
        await waiting_writer(database)

        async def append(
            stream: StreamName, entry: Entry, expected_version: int | None = None
        ) -> asyncio.Task[Outcome]:
            task = asyncio.create_task(log.append(stream, entry, expected_version))
            await asyncio.sleep(0)
            return task

        yield append
    assert await blocked == Appended(0)


async def positions(log: PostgresEventLog, stream: StreamName) -> list[object]:
    """The ids in a stream, in order; positions are contiguous."""
    found = [recorded async for recorded in log.read(stream)]
    assert [recorded.position for recorded in found] == list(range(len(found)))
    return [recorded.id for recorded in found]


async def found(log: PostgresEventLog, entry: Entry) -> AlreadyAppended:
    """The outcome of an append that finds this entry in the log."""
    recorded = await log.find(entry.id)
    assert recorded
    return AlreadyAppended(recorded)


# -- sharing --------------------------------------------------------------------------------------


async def test_what_arrives_during_a_commit_is_the_next_transaction(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """The first is written alone, at once; the twenty that came meanwhile are one transaction, in their order."""
    entries = [entry() for _ in range(20)]
    async with in_one_batch(database, postgres_log, entry()) as append:
        tasks = [await append(stream, each, version - 1) for version, each in enumerate(entries)]
        assert not any(task.done() for task in tasks)
    assert await asyncio.gather(*tasks) == [Appended(position) for position in range(20)]
    assert await transactions(database) == [1, 20]
    assert await positions(postgres_log, stream) == [each.id for each in entries]


@pytest.mark.parametrize("fill", [Fill(entries=4), Fill(size=4 * 600)])
async def test_a_transaction_takes_only_so_much(
    database: Database, stream: StreamName, entry: MakeEntry, fill: Fill
) -> None:
    """By count or by size; the rest is the next one, and the order stays."""
    entries = [entry(SessionPaused(by="x" * 400)) for _ in range(10)]
    async with PostgresEventLog.connect(database.url, appending=AppendTerms(fill=fill)) as log:
        async with in_one_batch(database, log, entry()) as append:
            tasks = [await append(stream, each) for each in entries]
        assert await asyncio.gather(*tasks) == [Appended(position) for position in range(10)]
        assert await positions(log, stream) == [each.id for each in entries]
    assert await transactions(database) == [1, 4, 4, 2]


async def test_an_entry_larger_than_a_transaction_travels_alone(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Neither it nor its neighbours wait for more than their turn."""
    sizes = [10, 5_000, 10, 10]
    async with PostgresEventLog.connect(database.url, appending=AppendTerms(fill=Fill(size=2_000))) as log:
        async with in_one_batch(database, log, entry()) as append:
            tasks = [await append(stream, entry(SessionPaused(by="x" * size))) for size in sizes]
        assert await asyncio.gather(*tasks) == [Appended(position) for position in range(4)]
    assert await transactions(database) == [1, 1, 1, 2]


async def test_categories_do_not_wait_for_each_other(
    database: Database, postgres_log: PostgresEventLog, entry: MakeEntry
) -> None:
    """While one category is held up, another is written to."""
    async with in_one_batch(database, postgres_log, entry()) as append:
        waiting = await append(OTHER, entry())
        assert await postgres_log.append(ELSEWHERE, entry()) == Appended(0)
        assert not waiting.done()
    assert await waiting == Appended(1)


async def test_each_is_answered_for_itself(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Beside conflicts, duplicates and taken ids in one transaction, everything else is written."""
    old = entry(SessionPaused(by="ana"))
    await postgres_log.append(stream, old)
    twin = entry()
    async with in_one_batch(database, postgres_log, entry()) as append:
        appended = await append(stream, entry(), 0)
        conflict = await append(stream, entry(), 0)
        duplicate = await append(stream, entry(old.event, id_=old.id, attempt=2), 7)
        taken = await append(stream, entry(SessionPaused(by="bob"), id_=old.id))
        moved = await append(ELSEWHERE.replace("v2", "v1"), old)
        first = await append(stream, twin, 1)
        second = await append(stream, entry(twin.event, id_=twin.id, attempt=2), 1)
        other = await append(stream, entry(SessionPaused(by="eve"), id_=twin.id))
        last = await append(stream, entry(), 2)
    assert await appended == Appended(1)
    assert await conflict == VersionConflict(0, 1)
    assert [await duplicate, await second] == [await found(postgres_log, old), await found(postgres_log, twin)]
    assert isinstance(await taken, IdConflict)
    assert isinstance(await moved, IdConflict)
    assert await first == Appended(2)
    assert isinstance(await other, IdConflict)
    assert await last == Appended(3)
    assert await transactions(database) == [1, 1, 3]


async def test_an_id_whose_event_cannot_be_read_fails_only_its_own(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """What stands in the log is no event; the neighbours are none the worse."""
    broken = entry()
    await execute(database, "SELECT write_message(%s, %s, 'SessionPaused', '[]')", str(broken.id), stream)
    async with in_one_batch(database, postgres_log, entry()) as append:
        tasks = [await append(stream, each) for each in (entry(), broken, entry())]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers.pop(1), LogCorrupted)
    assert answers == [Appended(1), Appended(2)]


# -- neighbours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["22P05", "23514", "54000", "P0001", "23505"])
@pytest.mark.parametrize("bad", [{0}, {3}, {9}, {2, 3, 7}])
async def test_one_that_is_refused_fails_alone(
    database: Database,
    postgres_log: PostgresEventLog,
    stream: StreamName,
    entry: MakeEntry,
    state: LiteralString,
    bad: set[int],
) -> None:
    """The database refuses the whole transaction for it; all others are written, in order."""
    await on_insert(database, f"RAISE EXCEPTION USING ERRCODE = '{state}'")
    entries = [entry(MALLORY if number in bad else None) for number in range(10)]
    async with in_one_batch(database, postgres_log, entry()) as append:
        tasks = [await append(stream, each) for each in entries]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {number for number, answer in enumerate(answers) if isinstance(answer, LogError)} == bad
    good = [each for number, each in enumerate(entries) if number not in bad]
    assert [answer for answer in answers if isinstance(answer, Appended)] == [Appended(n) for n in range(len(good))]
    assert await positions(postgres_log, stream) == [each.id for each in good]


@pytest.mark.parametrize("terms", [PoolTerms(lock=0.5), PoolTerms(statement=0.5)])
async def test_one_that_is_held_up_fails_alone(
    database: Database, stream: StreamName, entry: MakeEntry, terms: PoolTerms
) -> None:
    """A lock that only one of them needs and does not get is its own misfortune."""
    entries = [entry(MALLORY if number == 4 else None) for number in range(10)]
    async with PostgresEventLog.connect(database.url, terms) as log:
        async with stalled(database):
            async with in_one_batch(database, log, entry()) as append:
                tasks = [await append(stream, each) for each in entries]
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers.pop(4), LogUnavailable)
        assert answers == [Appended(position) for position in range(9)]
        assert await log.append(stream, entries[4]) == Appended(9)


async def test_where_all_are_held_up_waiting_has_an_end(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Nobody is written, everybody is told, and later everything works."""
    entries = [entry(MALLORY) for _ in range(10)]
    async with PostgresEventLog.connect(database.url, PoolTerms(lock=0.3)) as log:
        async with stalled(database):
            async with in_one_batch(database, log, entry()) as append:
                tasks = [await append(stream, each) for each in entries]
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, LogUnavailable) for answer in answers)
        again = await asyncio.gather(*(log.append(stream, each) for each in entries))
        assert again == [Appended(position) for position in range(10)]


async def test_without_a_free_connection_all_are_told(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """The pool is named, nothing was written, and the next appends are."""
    async with PostgresEventLog.connect(database.url, PoolTerms(max_size=1, acquire=0.2)) as log:
        async with log._statements._pool.connection():
            answers = await asyncio.gather(*(log.append(stream, entry()) for _ in range(5)), return_exceptions=True)
        assert all("no connection to the database is free" in str(answer) for answer in answers)
        assert await log.append(stream, entry(), NO_STREAM) == Appended(0)


async def test_without_the_function_each_is_written_for_itself(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Where somebody removes it under a running process, the log goes on, slower."""
    async with in_one_batch(database, postgres_log, entry()) as append:
        tasks = [await append(stream, entry(), version) for version in range(-1, 4)]
        await remove_function(database)
    assert await asyncio.gather(*tasks) == [Appended(position) for position in range(5)]
    assert await transactions(database) == [1] * 6


# -- cancelled ------------------------------------------------------------------------------------


async def test_whoever_is_cancelled_while_waiting_is_not_written(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """The others are, in order and without a gap, and so is it when it comes again."""
    entries = [entry() for _ in range(5)]
    async with in_one_batch(database, postgres_log, entry()) as append:
        tasks = [await append(stream, each) for each in entries]
        tasks[2].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[2]
    assert await asyncio.gather(*tasks[:2], *tasks[3:]) == [Appended(position) for position in range(4)]
    assert await postgres_log.append(stream, entries[2]) == Appended(4)


async def test_whoever_is_cancelled_in_mid_commit_disturbs_nobody(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """The transaction is completed for the others, and the cancelled one finds out by asking again."""
    entries = [entry(MALLORY) for _ in range(5)]
    async with stalled(database):
        tasks = await under_way(database, postgres_log, stream, entries, entry())
        await cancelled(tasks[1], tasks[3])
    assert await asyncio.gather(*tasks[::2]) == [Appended(0), Appended(2), Appended(4)]
    assert isinstance(await postgres_log.append(stream, entries[1]), AlreadyAppended)
    assert await positions(postgres_log, stream) == [each.id for each in entries]


async def test_a_transaction_for_which_nobody_waits_is_stopped(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """When all of it are cancelled nothing of it happens later, and the next are written."""
    entries = [entry(MALLORY) for _ in range(5)]
    async with stalled(database):
        await cancelled(*await under_way(database, postgres_log, stream, entries, entry()))
        assert await postgres_log.append(stream, entry(), NO_STREAM) == Appended(0)
    assert await postgres_log.append(stream, entries[0], 0) == Appended(1)


async def under_way(
    database: Database, log: PostgresEventLog, stream: StreamName, entries: list[Entry], first: Entry
) -> list[asyncio.Task[Outcome]]:
    """Appends whose common transaction has begun and is stalled."""
    async with in_one_batch(database, log, first) as append:
        tasks = [await append(stream, each) for each in entries]
    await waiting_writer(database)
    return tasks


async def cancelled(*tasks: asyncio.Task[Outcome]) -> None:
    """Cancel them, and wait until they know."""
    for task in tasks:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)


async def test_cancelling_some_at_any_moment_loses_and_doubles_nothing(
    postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """However far it came, a cancelled append that is repeated is there once, and the others never noticed."""
    entries = [entry() for _ in range(300)]
    tasks = [asyncio.create_task(postgres_log.append(stream, each)) for each in entries]
    for task in tasks[::3]:
        await asyncio.sleep(0)
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [answer for answer in answers if not isinstance(answer, asyncio.CancelledError)]
    assert all(isinstance(answer, Appended) for answer in kept)
    assert len(kept) >= 200
    await asyncio.gather(*(postgres_log.append(stream, each) for each in entries))
    assert set(await positions(postgres_log, stream)) == {each.id for each in entries}


# -- lost connections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "breakages", [["before"], ["during"], ["after"], ["after", "before"], ["during", "before", "after"]]
)
async def test_a_lost_answer_to_many_is_asked_for(
    database: Database, stream: StreamName, entry: MakeEntry, breakages: list[Breakage]
) -> None:
    """Whether the transaction was committed or never began: each event is there once, in order, and is ours."""
    entries = [entry() for _ in range(20)]
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        async with in_one_batch(database, log, entry()) as append:
            tasks = [await append(stream, each, version - 1) for version, each in enumerate(entries)]
            proxy.breakages = list(breakages)
        assert await asyncio.gather(*tasks) == [Appended(position) for position in range(20)]
        assert proxy.broken == len(breakages)
        assert await positions(log, stream) == [each.id for each in entries]
    assert await transactions(database) == [1, 20]


async def test_outcomes_after_a_lost_answer_are_told_apart(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """What was written by the lost try is ours; what stood there before is not; a conflict stays one."""
    old, taken = entry(), entry()
    await postgres_log.append(stream, old)
    await postgres_log.append(stream, taken)
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url) as log:
        async with in_one_batch(database, log, entry()) as append:
            mine = await append(stream, entry(), 1)
            theirs = await append(stream, entry(old.event, id_=old.id, attempt=2))
            other = await append(stream, entry(MALLORY, id_=taken.id))
            late = await append(stream, entry(), 1)
            proxy.breakages = ["after"]
        assert await mine == Appended(2)
        assert isinstance(await theirs, AlreadyAppended)
        assert isinstance(await other, IdConflict)
        assert await late == VersionConflict(1, 2)


async def test_a_backend_that_is_killed_in_mid_commit_is_survived(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """What it had written is rolled back, and written again once."""
    entries = [entry(MALLORY) for _ in range(5)]
    async with stalled(database):
        tasks = await under_way(database, postgres_log, stream, entries, entry())
        await execute(database, "SELECT pg_terminate_backend(%s)", await waiting_writer(database))
    assert await asyncio.gather(*tasks) == [Appended(position) for position in range(5)]
    assert await positions(postgres_log, stream) == [each.id for each in entries]


async def test_connections_that_go_on_breaking_end_in_an_error_for_all(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """The tries are bounded; repeated later, each append is there once."""
    entries = [entry() for _ in range(5)]
    terms = PoolTerms(pauses=(0.0, 0.01))
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url, terms) as log:
        async with in_one_batch(database, log, entry()) as append:
            tasks = [await append(stream, each) for each in entries]
            proxy.breakages = ["before", "before", "after"]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, LogUnavailable) for answer in answers)
        again = await asyncio.gather(*(log.append(stream, each) for each in entries))
        assert [type(outcome) for outcome in again] == [AlreadyAppended] * 5
        assert await positions(log, stream) == [each.id for each in entries]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_breaks_each_event_is_there_once_and_in_order(
    database: Database, entry: MakeEntry, seed: int
) -> None:
    """Twelve writers on connections that break all the time, before, during and after commits."""
    chance = random.Random(seed)
    streams = [StreamName(f"agent:v1-{number}") for number in range(12)]
    entries = {stream: [entry() for _ in range(20)] for stream in streams}

    async def write(stream: StreamName) -> None:
        for version, each in enumerate(entries[stream]):
            proxy.breakages.extend(chance.choices(["before", "during", "after"], k=chance.random() < 0.15))
            assert await log.append(stream, each, version - 1) == Appended(version)

    terms = PoolTerms(pauses=(0.0,) * 20)
    async with proxied(database.url) as (proxy, url), PostgresEventLog.connect(url, terms) as log:
        await asyncio.gather(*(write(stream) for stream in streams))
        proxy.breakages.clear()
        assert proxy.broken > 10
        for stream in streams:
            assert await positions(log, stream) == [each.id for each in entries[stream]]


# -- the queue and its end ------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [AppendTerms(waiting_entries=3), AppendTerms(waiting_size=3 * 600)])
async def test_the_queue_is_bounded(
    database: Database, stream: StreamName, entry: MakeEntry, terms: AppendTerms
) -> None:
    """Whoever finds it full waits outside, and comes in his turn; who is cancelled there was never in."""
    entries = [entry(SessionPaused(by="x" * 400)) for _ in range(10)]
    async with PostgresEventLog.connect(database.url, appending=terms) as log:
        async with in_one_batch(database, log, entry(SessionPaused(by="x" * 400))) as append:
            tasks = [await append(stream, each) for each in entries]
            backlog = log._appender._backlog
            assert (backlog._inside, len(backlog._outside)) == (3, 8)
            await cancelled(tasks.pop(5))
            entries.pop(5)
        assert await asyncio.gather(*tasks) == [Appended(position) for position in range(9)]
        assert await positions(log, stream) == [each.id for each in entries]
        assert (backlog._inside, backlog._taken, len(backlog._outside)) == (0, 0, 0)


async def test_closing_writes_what_was_begun(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """Whoever has called is answered before the connections are closed; whoever calls then is refused."""
    entries = [entry() for _ in range(50)]
    async with PostgresEventLog.connect(database.url, appending=AppendTerms(waiting_entries=20)) as log:
        tasks = [asyncio.create_task(log.append(stream, each)) for each in entries]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [Appended(position) for position in range(50)]
    with pytest.raises(LogUnavailable, match="the log is closed"):
        await log.append(stream, entry())


async def test_closing_in_an_emergency_writes_what_was_begun(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Also where the block ends by cancellation."""
    entries = [entry() for _ in range(50)]
    tasks: list[asyncio.Task[Outcome]] = []

    async def work() -> None:
        async with PostgresEventLog.connect(database.url) as log:
            tasks.extend([asyncio.create_task(log.append(stream, each)) for each in entries])
            await asyncio.Event().wait()

    worker = asyncio.create_task(work())
    while not tasks:
        await asyncio.sleep(0)
    worker.cancel()
    assert await asyncio.gather(*tasks) == [Appended(position) for position in range(50)]
    with pytest.raises(asyncio.CancelledError):
        await worker


async def test_closing_has_an_end(database: Database, stream: StreamName, entry: MakeEntry) -> None:
    """What cannot be written in time fails with a reason, and repeated elsewhere it is there once."""
    entries = [entry(MALLORY) for _ in range(10)]
    terms = AppendTerms(fill=Fill(entries=3), waiting_entries=5, closing=0.2)
    async with stalled(database):
        async with PostgresEventLog.connect(database.url, appending=terms) as log:
            tasks = await under_way(database, log, stream, entries, entry())
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all("the log was closed before" in str(answer) for answer in answers)
    async with PostgresEventLog.connect(database.url) as log:
        again = await asyncio.gather(*(log.append(stream, each, version - 1) for version, each in enumerate(entries)))
        assert again == [Appended(position) for position in range(10)]
        assert await positions(log, stream) == [each.id for each in entries]
