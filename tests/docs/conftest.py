"""A world for the examples: a worker with their tools, and a model that plays their conversations."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from examples import custom_tool
from stack.scripted.playbook import Step
from stack.scripted.script import parse_script
from tests.conftest import Database
from tests.packaging.checkout import text
from tests.workflow.conftest import play  # noqa: F401 - a fixture
from tests.workflow.world import World, world


@pytest.fixture
async def shop(temporal_server: str, database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """A worker with the example's tools, and the model of the example's conversations."""
    tools = [custom_tool.find_order, custom_tool.set_delivery_day, custom_tool.refund]
    script: dict[str, Sequence[Step]] = {**parse_script(text("examples/scripted_conversation.json"))}
    async with world(temporal_server, database.url, tmp_path, script, tools) as made:
        yield made
