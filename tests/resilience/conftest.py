"""What workers share, in a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from eventlog.postgres import PostgresEventLog
from resilience.postgres import PostgresStore
from tests.conftest import Database


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    """The tables of one database, on connections of their own."""
    async with PostgresEventLog.connect(database.url) as log:
        yield PostgresStore(log.statements)
