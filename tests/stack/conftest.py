"""Homes for embedded systems, emptied of processes afterwards."""

import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.addresses import Options
from stack.home import Home, cache_folder
from stack.servers import Servers
from stack.stack import down


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A home that nobody has used; whatever a test leaves running there is stopped.

    Not in pytest's folder: that is closed to other users by the next session, and PostgreSQL may run as one.
    """
    with tempfile.TemporaryDirectory(prefix="perdure-test-", ignore_cleanup_errors=True) as folder:
        new = Path(folder) / "home"
        try:
            yield new
        finally:
            for name in ("temporal", "model"):  # nobody needs their data any more, and graceful takes a second
                await Servers(Home(new)).process(name).stop(signal.SIGKILL)
            await down(new)


@pytest.fixture
def whole(home: Path) -> Options:
    """A system of all parts."""
    return Options(home=home, cache=cache_folder())


@pytest.fixture
def only_postgres(whole: Options) -> Options:
    """A system whose other parts are given from outside."""
    return whole.model_copy(update={"temporal_address": "127.0.0.1:1", "scripted_model": False})


@pytest.fixture
def only_temporal(whole: Options) -> Options:
    """A system whose other parts are given from outside."""
    return whole.model_copy(update={"database_url": "postgresql://127.0.0.1:1/outside", "scripted_model": False})
