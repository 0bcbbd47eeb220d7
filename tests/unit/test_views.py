"""Views that are kept warm: what is read of them, and what is left as it was."""

import gc
from dataclasses import dataclass, field
from datetime import UTC, datetime
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


async def write(log: MemoryEventLog, stream: StreamName, count: int, by: str = "ana") -> None:
    """Append so many events."""
    for _ in range(count):
        number = await log.version(stream) + 1
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
