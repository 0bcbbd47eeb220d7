"""The servers that are killed and come back."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.servers import Servers


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """PostgreSQL and Temporal with durable data; whoever kills them may leave it to the next one to start them."""
    with tempfile.TemporaryDirectory(prefix="perdure-test-", ignore_cleanup_errors=True) as folder:
        servers = Servers(Path(folder))
        try:
            await servers.start()
            await servers.install()
            yield servers
        finally:
            await servers.stop()
