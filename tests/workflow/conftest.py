"""Worlds for tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from stack.scripted.playbook import Step
from tests.conftest import Database
from tests.workflow.world import World, world
from tools.tool import Tool

Play = Callable[..., Awaitable[World]]


@pytest.fixture
async def play(temporal_server: str, database: Database, tmp_path: Path) -> AsyncIterator[Play]:
    """Makes a world in which conversations are played, and ends it after the test."""
    async with AsyncExitStack() as worlds:

        async def make(conversations: dict[str, Sequence[Step]], tools: Sequence[Tool] = (), **settings: Any) -> World:
            return await worlds.enter_async_context(
                world(temporal_server, database.url, tmp_path, conversations, tools, **settings)
            )

        yield make
