"""OpenAI's Agents SDK with Temporal's integration, with large payloads kept outside Temporal's history."""

from pathlib import Path

from bench.peers import on_openai_agents
from bench.peers.storage import converter
from bench.peers.work import Work

# -- the user's code --------------------------------------------------------------------------------


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    await on_openai_agents.do(work, data_converter=converter(Path(work.folder)))
