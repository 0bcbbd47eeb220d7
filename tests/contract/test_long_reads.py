"""Reading streams of many pages: each is asked for while the one before is decoded."""

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest

from eventlog.log import PAGE, Appended, LogCorrupted
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from eventlog.streams import StreamName
from tests.conftest import Database
from tests.contract.administrator import execute
from tests.contract.conftest import MakeEntry

ONE = PoolTerms(max_size=1)


async def fill(database: Database, stream: StreamName, count: int) -> None:
    """Write so many events."""
    await execute(
        database,
        "SELECT write_message(gen_random_uuid()::text, %s, 'SessionResumed', '{\"by\": \"ana\"}')"
        " FROM generate_series(1, %s::int)",
        stream,
        count,
    )


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
async def test_pages_that_are_asked_for_ahead_fit_together(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, count: int
) -> None:
    """Whether the last page is full, short or empty: every event once, and none beyond the end that was named."""
    await fill(database, stream, count)
    for end in (None, count - 1, PAGE - 1, PAGE, 5 * PAGE):
        found = [recorded.position async for recorded in postgres_log.read(stream, 0, end)]
        assert found == list(range(count if end is None else min(end + 1, count)))


async def test_a_reading_that_is_given_up_leaves_nothing_behind(database: Database, stream: StreamName) -> None:
    """The page that was asked for ahead is called off, and the only connection serves the next at once."""
    await fill(database, stream, 3 * PAGE)
    async with PostgresEventLog.connect(database.url, ONE) as log:
        before = asyncio.all_tasks()
        for _ in range(3):
            async with aclosing(log.chunks(stream)) as chunks:
                await anext(chunks)
            assert await log.version(stream) == 3 * PAGE - 1
        assert asyncio.all_tasks() == before


async def test_a_reading_that_is_cancelled_leaves_nothing_behind(
    database: Database, stream: StreamName, entry: MakeEntry
) -> None:
    """Whoever reads may be cancelled at any page; the log goes on."""
    await fill(database, stream, 3 * PAGE)
    passed = asyncio.Event()

    async def read_and_wait(log: PostgresEventLog) -> None:
        async for recorded in log.read(stream):
            if recorded.position == PAGE:
                passed.set()
                await asyncio.Event().wait()

    async with PostgresEventLog.connect(database.url, ONE) as log:
        reading = asyncio.create_task(read_and_wait(log))
        await passed.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await log.append(stream, entry()) == Appended(3 * PAGE)


async def test_others_have_their_turn_during_a_long_reading(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName
) -> None:
    """A thread of many pages does not hold up whoever else runs in the process."""
    await fill(database, stream, 2 * PAGE)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(take_turns())
    seen = [turns async for _ in postgres_log.chunks(stream)]
    other.cancel()
    assert len(set(seen)) == len(seen)


async def test_what_stands_before_a_corrupted_event_can_be_read(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName
) -> None:
    """Reading ends at the event that is none, and not earlier."""
    await fill(database, stream, 2)
    await execute(database, "SELECT write_message(%s, %s, 'SessionPaused', '{}')", str(uuid4()), stream)
    events = aiter(postgres_log.read(stream))
    assert [(await anext(events)).position for _ in range(2)] == [0, 1]
    with pytest.raises(LogCorrupted, match="SessionPaused at position 2"):
        await anext(events)
