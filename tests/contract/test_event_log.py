"""What every event log promises, whatever it is made of."""

import asyncio
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from eventlog.events import SessionPaused, SessionResumed, UnknownEvent
from eventlog.ids import event_id, new_thread_id
from eventlog.log import (
    NO_STREAM,
    PAGE,
    AlreadyAppended,
    Appended,
    Entry,
    EntryRejected,
    EventLog,
    IdConflict,
    Recorded,
    VersionConflict,
)
from eventlog.streams import Category, InvalidName, StreamName, stream_of
from tests.contract.conftest import MakeEntry


async def everything(log: EventLog, stream: StreamName, start: int = 0, end: int | None = None) -> list[Recorded]:
    """The events of a stream in a list."""
    return [recorded async for recorded in log.read(stream, start, end)]


async def fill(log: EventLog, stream: StreamName, entries: list[Entry]) -> None:
    """Append the entries in order."""
    for entry in entries:
        await log.append(stream, entry)


# -- appending ------------------------------------------------------------------------------------


async def test_an_appended_event_is_read_as_it_was_written(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Id, event and metadata come back unchanged, with the place where they stand."""
    written = entry()
    assert await log.append(stream, written) == Appended(0)
    [recorded] = await everything(log, stream)
    assert (recorded.id, recorded.event, recorded.metadata) == (written.id, written.event, written.metadata)
    assert (recorded.stream, recorded.position) == (stream, 0)
    assert abs(recorded.time - datetime.now(UTC)) < timedelta(minutes=5)


async def test_positions_count_from_zero_without_gaps(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Each append answers with the next position, also after one that was refused."""
    assert await log.append(stream, entry()) == Appended(0)
    assert await log.append(stream, entry(), expected_version=7) == VersionConflict(7, 0)
    assert await log.append(stream, entry()) == Appended(1)


async def test_streams_are_numbered_apart(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Another stream begins at zero."""
    await fill(log, stream, [entry(), entry()])
    assert await log.append(stream_of(new_thread_id()), entry()) == Appended(0)


async def test_the_expected_version_must_be_the_actual_one(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Right versions are accepted, wrong ones are answered with the actual version."""
    assert await log.append(stream, entry(), expected_version=NO_STREAM) == Appended(0)
    assert await log.append(stream, entry(), expected_version=0) == Appended(1)
    assert await log.append(stream, entry(), expected_version=0) == VersionConflict(expected=0, actual=1)
    assert await log.append(stream, entry(), expected_version=NO_STREAM) == VersionConflict(NO_STREAM, 1)
    assert len(await everything(log, stream)) == 2


async def test_a_missing_stream_has_no_version_to_expect(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Whoever expects events in a stream that has none is told so."""
    assert await log.append(stream, entry(), expected_version=0) == VersionConflict(0, NO_STREAM)
    assert await log.version(stream) == NO_STREAM


@pytest.mark.parametrize("expected_version", [None, NO_STREAM, 0, 5])
async def test_the_same_event_twice_is_written_once(
    log: EventLog, stream: StreamName, entry: MakeEntry, expected_version: int | None
) -> None:
    """A retry succeeds with the old position and never looks like a conflict, whatever version it expects."""
    written = entry()
    await log.append(stream, written, NO_STREAM)
    again = entry(written.event, id_=written.id, attempt=2)
    outcome = await log.append(stream, again, expected_version)
    assert isinstance(outcome, AlreadyAppended)
    assert (outcome.position, outcome.recorded.metadata.attempt) == (0, 1)
    assert len(await everything(log, stream)) == 1


@pytest.mark.parametrize("expected_version", [None, NO_STREAM, 0, 5])
async def test_an_id_that_says_something_else_is_a_conflict(
    log: EventLog, stream: StreamName, entry: MakeEntry, expected_version: int | None
) -> None:
    """Other data or another type under a taken id is answered with what stands there."""
    written = entry(SessionPaused(by="ana"))
    await log.append(stream, written)
    for other in (SessionPaused(by="bob"), SessionResumed(by="ana")):
        outcome = await log.append(stream, entry(other, id_=written.id), expected_version)
        assert isinstance(outcome, IdConflict)
        assert outcome.recorded.event == written.event


async def test_an_id_belongs_to_one_stream(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """The same event under the same id in another stream is a conflict, not a success."""
    written = entry()
    await log.append(stream, written)
    assert isinstance(await log.append(stream_of(new_thread_id()), written), IdConflict)


async def test_not_a_number_equals_itself(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Content is compared as it is written: NaN does not turn a retry into a conflict, and 1 is not 1.0."""
    written = entry(UnknownEvent(type_name="Measured", data={"value": float("nan"), "count": 1}))
    await log.append(stream, written)
    assert isinstance(await log.append(stream, written), AlreadyAppended)
    other = entry(UnknownEvent(type_name="Measured", data={"value": float("nan"), "count": 1.0}), id_=written.id)
    assert isinstance(await log.append(stream, other), IdConflict)


async def test_a_name_that_is_no_stream_is_refused(log: EventLog, entry: MakeEntry) -> None:
    """Message DB would take these and never show them again; the log refuses them in every method."""
    for name in ("", "agent", "agent:v1", "agent:v1-", "-x", "my-agent:v1-x", "agent:v1-a+b", "a:v1-\0"):
        with pytest.raises(InvalidName):
            await log.append(StreamName(name), entry())
        with pytest.raises(InvalidName):
            await log.version(StreamName(name))
        with pytest.raises(InvalidName):
            await everything(log, StreamName(name))


async def test_an_entry_that_is_no_json_is_rejected(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """What cannot be written is named, and nothing is written."""
    with pytest.raises(EntryRejected, match="set is no JSON type"):
        await log.append(stream, entry(UnknownEvent(type_name="Odd", data={"tags": {1, 2}})))
    assert await log.version(stream) == NO_STREAM


async def test_sixteen_writers_take_turns(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Of many who expect the same version exactly one wins, at every position."""
    for version in range(-1, 9):
        outcomes = await asyncio.gather(*(log.append(stream, entry(), version) for _ in range(16)))
        assert outcomes.count(Appended(version + 1)) == 1
        assert outcomes.count(VersionConflict(version, version + 1)) == 15
    assert await log.version(stream) == 9


async def test_attempts_that_overlap_write_once(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Attempts at one event at the same time: one writes it, the others are told where it stands."""
    first = entry()
    entries = [entry(first.event, id_=first.id, attempt=attempt) for attempt in range(8)]
    outcomes = await asyncio.gather(*(log.append(stream, each, NO_STREAM) for each in entries))
    assert [type(outcome) for outcome in outcomes].count(Appended) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyAppended) == 7
    assert {outcome.position for outcome in outcomes if isinstance(outcome, Appended | AlreadyAppended)} == {0}


# -- reading --------------------------------------------------------------------------------------


async def test_a_stream_longer_than_a_page_is_read_whole(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """2,500 events come back in order, from anywhere to anywhere, with nothing missing at the pages' edges."""
    for _ in range(50):
        await asyncio.gather(*(log.append(stream, entry()) for _ in range(50)))
    assert [recorded.position for recorded in await everything(log, stream)] == list(range(2500))
    for start, end in [(0, PAGE - 1), (0, PAGE), (PAGE - 1, PAGE), (PAGE, 2 * PAGE), (2499, None), (1, 2498)]:
        positions = [recorded.position for recorded in await everything(log, stream, start, end)]
        assert positions == list(range(start, 2500 if end is None else end + 1))


async def test_ranges_are_cut_to_what_there_is(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Both ends are inclusive; ranges outside the stream are empty and no error."""
    await fill(log, stream, [entry() for _ in range(5)])
    for start, end, expected in [
        (1, 3, [1, 2, 3]),
        (4, 4, [4]),
        (5, None, []),
        (3, 1, []),
        (-3, 0, [0]),
        (2, 99, [2, 3, 4]),
    ]:
        assert [recorded.position for recorded in await everything(log, stream, start, end)] == expected


async def test_chunks_are_what_is_read(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Some events at a time, never none, and together just what `read` gives, from anywhere to anywhere."""
    await asyncio.gather(*(log.append(stream, entry()) for _ in range(130)))
    for start, end in [(0, None), (0, 0), (7, 120), (129, None), (130, None), (-5, 50), (9, 3), (0, -1)]:
        chunks = [chunk async for chunk in log.chunks(stream, start, end)]
        assert all(chunks)
        assert [recorded for chunk in chunks for recorded in chunk] == await everything(log, stream, start, end)


async def test_a_stream_that_is_not_there_is_empty(log: EventLog, stream: StreamName) -> None:
    """Reading it gives nothing, and its version says so."""
    assert await everything(log, stream) == []
    assert await log.version(stream) == NO_STREAM


async def test_an_event_is_found_by_its_id(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """`find` gives what `read` gives, and None for an id that is not there."""
    written = entry()
    await log.append(stream, written)
    assert await log.find(written.id) == (await everything(log, stream))[0]
    assert await log.find(uuid4()) is None


async def test_a_category_is_read_in_the_order_it_was_written(log: EventLog, entry: MakeEntry) -> None:
    """Events of many streams come in global order, of that category only, from and to any position."""
    streams = [StreamName(f"agent:v1-{number}") for number in range(3)]
    others = [StreamName("agent:v2-1"), StreamName("agent:v10-1"), StreamName("agents:v1-1")]
    written = [(streams[number % 3], entry()) for number in range(12)]
    for stream, each in written:
        await log.append(stream, each)
        await log.append(others[0], entry())
    await fill(log, others[1], [entry()])
    await fill(log, others[2], [entry()])
    found = [recorded async for recorded in log.read_category(Category("agent:v1"))]
    assert [(recorded.stream, recorded.id) for recorded in found] == [(stream, each.id) for stream, each in written]
    places = [recorded.global_position for recorded in found]
    assert places == sorted(set(places))
    part = log.read_category(Category("agent:v1"), places[3], places[7])
    assert [recorded.global_position async for recorded in part] == places[3:8]


async def test_a_category_longer_than_a_page_is_read_whole(log: EventLog, entry: MakeEntry) -> None:
    """Events of a page and more, a hundred in each stream, come back once each."""
    entries = [entry() for _ in range(PAGE + 100)]
    streams = [StreamName(f"agent:v1-{number}") for number in range(PAGE // 100 + 1)]
    for stream, start in zip(streams, range(0, PAGE + 100, 100), strict=True):
        await asyncio.gather(*(log.append(stream, each) for each in entries[start : start + 100]))
    found = [recorded async for recorded in log.read_category(Category("agent:v1"))]
    assert {recorded.id for recorded in found} == {each.id for each in entries}
    assert len(found) == len(entries)


async def test_a_name_that_is_no_category_is_refused(log: EventLog) -> None:
    """A stream's name, or anything else, is not taken for a category."""
    for name in ("", "agent:v1-x", "-", "Agent", "agent:", "agent:v1:v2"):
        with pytest.raises(InvalidName):
            await anext(aiter(log.read_category(Category(name))))


async def test_an_event_nobody_knows_is_kept_as_it_is(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Its type and data come back untouched, and it may be written again as itself."""
    unknown = UnknownEvent(type_name="SessionForked", data={"type": "fork", "from": {"position": 7}})
    await log.append(stream, entry(unknown))
    [recorded] = await everything(log, stream)
    assert recorded.event == unknown
    again = Entry(recorded.id, recorded.event, recorded.metadata)
    assert isinstance(await log.append(stream, again), AlreadyAppended)


async def test_what_is_read_cannot_be_changed(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Recorded events are frozen, and what a reader does to a copy changes nothing in the log."""
    await log.append(stream, entry(UnknownEvent(type_name="Odd", data={"list": [1]})))
    [recorded] = await everything(log, stream)
    with pytest.raises(FrozenInstanceError):
        recorded.position = 5  # type: ignore[misc]
    assert isinstance(recorded.event, UnknownEvent)
    recorded.event.data["list"].append(2)
    assert replace(recorded).event != (await everything(log, stream))[0].event


async def test_deterministic_ids_make_a_step_write_once(log: EventLog, entry: MakeEntry) -> None:
    """A step that runs again makes the same id, and so the same event."""
    thread = new_thread_id()
    for expected in (Appended, AlreadyAppended):
        each = entry(SessionResumed(by="ana"), id_=event_id(thread, 1_700_000_000_000, "step 1"))
        assert isinstance(await log.append(stream_of(thread), each), expected)


async def test_the_log_names_its_version(log: EventLog) -> None:
    """`check` answers with the version of Message DB."""
    assert await log.check() == "1.3.0"
