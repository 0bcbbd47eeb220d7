"""LangGraph with its PostgreSQL checkpointer, its messages in a `DeltaChannel` (beta), which saves what is new."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

from langchain_core.messages import AnyMessage, convert_to_messages
from langgraph.channels import DeltaChannel

from bench.peers import on_langgraph
from bench.peers.work import Work

# -- the user's code --------------------------------------------------------------------------------


def extended(messages: list[AnyMessage], writes: Sequence[list[AnyMessage]]) -> list[AnyMessage]:
    """The messages with the new ones at their end."""
    return [*messages, *(message for write in writes for message in convert_to_messages(write))]


class State(TypedDict):
    """The conversation."""

    messages: Annotated[list[AnyMessage], DeltaChannel(extended)]


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    await on_langgraph.do(work, State)
