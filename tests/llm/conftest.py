"""A byte-exact server, and the model that asks it."""

from collections.abc import AsyncIterator

import pytest

from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client
from tests.llm.wire import Wire, serving

KEY = "sk-ant-secret-key"


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A server that answers what it is told."""
    async with serving() as server:
        yield server


@pytest.fixture
async def model(wire: Wire) -> AsyncIterator[AnthropicModel]:
    """The real SDK, pointed at the server."""
    asked = AnthropicModel(anthropic_client(api_key=KEY, base_url=wire.url, gap_timeout=30))
    yield asked
    await asked.close()
