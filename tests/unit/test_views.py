"""Views that are kept warm: what is read of them, and what is left as it was."""

import gc
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest

from activities.views import Views
from eventlog.events import SessionPaused
from eventlog.ids import new_thread_id
from eventlog.log import Entry, LogCorrupted, Recorded
from eventlog.memory import MemoryEventLog
from eventlog.metadata import Metadata
from eventlog.streams import StreamName, stream_of
from projections.fold import Projection

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@dataclass
class Witness:
    """A projection that remembers what it was shown, and whether the garbage collector was at work."""

    positions: list[int] = field(default_factory=list)
    collecting: list[bool] = field(default_factory=list)

    def projection(self) -> Projection[int]:
        """Counts events."""
        return Projection("witness", 1, lambda: 0, self._evolve)

    def _evolve(self, count: int, recorded: Recorded) -> int:
        self.positions.append(recorded.position)
        self.collecting.append(gc.isenabled())
        if recorded.event == SessionPaused(by="nobody"):
            raise LogCorrupted("nobody can pause")
        return count + 1


@pytest.fixture
def log() -> MemoryEventLog:
    """The log in memory."""
    return MemoryEventLog()


@pytest.fixture
def stream() -> StreamName:
    """The stream of a new thread."""
    return stream_of(new_thread_id())


async def write(log: MemoryEventLog, stream: StreamName, count: int, by: str = "ana", first: int = 0) -> None:
    """Append so many events; their ids are counted from `first` on."""
    for _ in range(count):
        number = first + await log.version(stream) + 1
        await log.append(stream, Entry(UUID(int=number + 1), SessionPaused(by=by), Metadata(at=AT)))


async def test_only_what_is_new_is_read(log: MemoryEventLog, stream: StreamName) -> None:
    """A view is continued from where it was left, and says where it stands."""
    witness, views = Witness(), Views(log)
    for total in (120, 121, 121):
        await write(log, stream, total - await log.version(stream) - 1)
        seen = await views.read(witness.projection(), stream, lambda count: count)
        assert (seen.value, seen.position, seen.last_id) == (total, total - 1, UUID(int=total))
    assert witness.positions == list(range(121))


async def test_a_view_is_read_at_any_position(log: MemoryEventLog, stream: StreamName) -> None:
    """Also at one that has been passed, and without losing what is kept."""
    views = Views(log)
    await write(log, stream, 120)
    for at in (60, 10, 119, 60, None):
        seen = await views.read(Witness().projection(), stream, lambda count: count, at=at)
        assert seen.value == (120 if at is None else at + 1)


async def test_the_least_recently_read_goes_where_memory_ends(log: MemoryEventLog) -> None:
    """What is kept never takes more than it may; a view that had to go is read again from its beginning."""
    streams = [stream_of(new_thread_id()) for _ in range(3)]
    for number, each in enumerate(streams):
        await write(log, each, 10, first=100 * number)
    alone = Views(log)
    await alone.read(Witness().projection(), streams[0], lambda count: count)
    views = Views(log, capacity=2 * alone.weight + 99)
    for number, cold in ((0, True), (1, True), (0, False), (2, True), (0, False), (1, True), (2, True), (1, False)):
        witness = Witness()
        seen = await views.read(witness.projection(), streams[number], lambda count: count)
        assert (seen.value, len(witness.positions)) == (10, 10 if cold else 0)
        assert views.weight <= 2 * alone.weight + 99


async def test_a_view_takes_more_the_more_was_read(log: MemoryEventLog, stream: StreamName) -> None:
    """It is counted by the JSON that went into it, and many small views are counted too."""
    views, weights = Views(log), [0]
    for _ in range(3):
        await write(log, stream, 10, by="a" * 1_000)
        await views.read(Witness().projection(), stream, lambda count: count)
        weights.append(views.weight)
    steps = [after - before for before, after in pairwise(weights)]
    assert steps[0] > steps[1] == steps[2] >= 10 * 1_000


async def test_a_view_beyond_all_bounds_is_still_continued(log: MemoryEventLog, stream: StreamName) -> None:
    """It is the only one kept then."""
    witness, views = Witness(), Views(log, capacity=1)
    for total in (60, 61):
        await write(log, stream, total - await log.version(stream) - 1)
        assert (await views.read(witness.projection(), stream, lambda count: count)).value == total
    assert witness.positions == list(range(61))


async def test_the_garbage_collector_rests_while_a_cold_view_is_read(log: MemoryEventLog, stream: StreamName) -> None:
    """It is at work again afterwards; a view that is only continued leaves it alone."""
    witness, views = Witness(), Views(log)
    for _ in range(2):
        await write(log, stream, 1)
        await views.read(witness.projection(), stream, lambda count: count)
        assert gc.isenabled()
    assert witness.collecting == [False, True]


async def test_the_garbage_collector_wakes_whatever_happens(log: MemoryEventLog, stream: StreamName) -> None:
    """Also where the view cannot be read."""
    await write(log, stream, 1, by="nobody")
    with pytest.raises(LogCorrupted):
        await Views(log).read(Witness().projection(), stream, lambda count: count)
    assert gc.isenabled()


async def test_what_was_written_here_is_not_read_again(log: MemoryEventLog, stream: StreamName) -> None:
    """An event that follows right on a view continues it; one that does not is left to be read in its turn."""
    witness, views = Witness(), Views(log)
    await write(log, stream, 10)
    await views.read(witness.projection(), stream, lambda count: count)
    await write(log, stream, 3)
    told = [each async for each in log.read(stream, 10)]
    for each in (told[0], told[2], told[0]):
        views.learn(each)
    assert (await views.read(witness.projection(), stream, lambda count: count, least=10)).position == 10
    assert (await views.read(witness.projection(), stream, lambda count: count, least=11)).position == 12
    assert witness.positions == list(range(13))


async def test_views_of_other_streams_learn_nothing(log: MemoryEventLog, stream: StreamName) -> None:
    """An event is its own stream's, and a stream that nobody has read has no view of it."""
    witness, views = Witness(), Views(log)
    await write(log, stream, 1)
    await views.read(witness.projection(), stream, lambda count: count)
    other = stream_of(new_thread_id())
    await write(log, other, 2, first=100)
    for each in [each async for each in log.read(other)]:
        views.learn(each)
    assert witness.positions == [0]
    assert (await views.read(witness.projection(), other, lambda count: count)).value == 2
