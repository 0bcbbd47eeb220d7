"""OpenAI's Agents SDK with Temporal's integration, with the conversation kept by OpenAI: the Responses API's chaining.

Only OpenAI's own models have that, and no one else has the conversation then. The model here plays the server's part.
"""

from bench.peers import on_openai_agents
from bench.peers.work import Work

# -- the user's code --------------------------------------------------------------------------------


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    await on_openai_agents.do(work, chained=True)
