"""A log of each kind; every test that asks for `log` is run against both."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from eventlog.events import AnyEvent, SessionPaused
from eventlog.ids import new_thread_id
from eventlog.log import Entry, EventLog
from eventlog.memory import MemoryEventLog
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import StreamName, stream_of
from tests.conftest import Database

MakeEntry = Callable[..., Entry]


@pytest.fixture
def memory_log() -> MemoryEventLog:
    """The log in memory."""
    return MemoryEventLog()


@pytest.fixture
async def postgres_log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """The log in a database of its own."""
    async with PostgresEventLog.connect(database.url) as log:
        yield log


@pytest.fixture(params=["memory_log", "postgres_log"])
def log(request: pytest.FixtureRequest) -> EventLog:
    """Each adapter in turn."""
    chosen: EventLog = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def stream() -> StreamName:
    """The stream of a new thread."""
    return stream_of(new_thread_id())


@pytest.fixture
def entry() -> MakeEntry:
    """Makes entries; each says something else unless told what to say."""

    def make(event: AnyEvent | None = None, *, id_: UUID | None = None, attempt: int = 1) -> Entry:
        id_ = id_ or uuid4()
        metadata = Metadata(at=datetime.now(UTC), attempt=attempt, run_id="run", activity_id="activity")
        return Entry(id_, event or SessionPaused(by=str(id_)), metadata)

    return make
