"""Servers that are killed and come back, and that have threads continued as new early."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.servers import Servers
from tests.chaos.run import struck_servers


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """PostgreSQL and Temporal with durable data."""
    with tempfile.TemporaryDirectory(prefix="perdure-test-", ignore_cleanup_errors=True) as folder:
        async with struck_servers(Path(folder)) as servers:
            yield servers
