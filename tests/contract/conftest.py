"""A log of each kind; every test that asks for `log` is run against each."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

import psycopg
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
Appends = Literal["together", "singly"]
"""By our function, many in a transaction; or, where that is not installed, by Message DB's, one by one."""


@pytest.fixture
def memory_log() -> MemoryEventLog:
    """The log in memory."""
    return MemoryEventLog()


@pytest.fixture(autouse=True)
def appends(request: pytest.FixtureRequest) -> Appends:
    """How the test's database lets the log append; a module may ask for both."""
    chosen: Appends = getattr(request, "param", "together")
    return chosen


@pytest.fixture
async def database(database: Database, appends: Appends) -> Database:
    """A fresh database with Message DB, with or without our function."""
    if appends == "singly":
        await remove_function(database)
    return database


async def remove_function(database: Database) -> None:
    """Make it a database in which nobody was allowed to install anything of ours."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("drop schema perdure cascade")


@pytest.fixture
async def postgres_log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """The log in a database of its own."""
    async with PostgresEventLog.connect(database.url) as log:
        yield log


@pytest.fixture
async def plain_log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """The log in a database without our function."""
    await remove_function(database)
    async with PostgresEventLog.connect(database.url) as log:
        yield log


@pytest.fixture(params=["memory_log", "postgres_log", "plain_log"])
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
