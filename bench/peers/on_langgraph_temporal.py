"""LangGraph on Temporal: its nodes as activities, by Temporal's plugin (public preview)."""

import operator
from datetime import timedelta
from typing import Annotated, Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.langgraph import LangGraphPlugin, graph
from temporalio.worker import Worker

from bench.peers.work import PROMPT, SYSTEM, Work, act, next_call

# -- not the user's code: the model -----------------------------------------------------------------


async def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call the tool, or answer."""
    topic = await next_call(sum(message["role"] == "assistant" for message in messages))
    if topic is None:
        return {"role": "assistant", "content": "All is well.", "tool_calls": []}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": f"call {topic}", "args": {"topic": topic}}]}


# -- the user's code --------------------------------------------------------------------------------


class State(TypedDict):
    """The conversation."""

    messages: Annotated[list[dict[str, Any]], operator.add]


async def ask(state: State) -> dict[str, Any]:
    """Ask the model."""
    return {"messages": [await reply([{"role": "system", "content": SYSTEM}, *state["messages"]])]}


async def look_up(state: State) -> dict[str, Any]:
    """Look a part up."""
    calls = state["messages"][-1]["tool_calls"]
    return {"messages": [{"role": "tool", "id": call["id"], "content": await act(**call["args"])} for call in calls]}


async def follow(state: State) -> Literal["tools", "__end__"]:
    """Whether there is something to look up."""
    return "tools" if state["messages"][-1]["tool_calls"] else END


def researcher() -> StateGraph:
    """The agent's graph."""
    options = {"execute_in": "activity", "start_to_close_timeout": timedelta(seconds=30)}
    graph = StateGraph(State)
    graph.add_node("model", ask, metadata=dict(options))
    graph.add_node("tools", look_up, metadata=dict(options))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", follow)
    graph.add_edge("tools", "model")
    return graph


@workflow.defn
class Researcher:
    """One conversation."""

    @workflow.run
    async def run(self, prompt: str, turns: int) -> str:
        """Run the graph to its end."""
        given = {"messages": [{"role": "user", "content": prompt}]}
        state = await graph("researcher").compile().ainvoke(given, {"recursion_limit": 2 * turns + 10})
        return state["messages"][-1]["content"]


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    client = await Client.connect(work.temporal)
    plugin = LangGraphPlugin(graphs={"researcher": researcher()})
    async with Worker(client, task_queue="langgraph", workflows=[Researcher], plugins=[plugin]):
        handle = await client.start_workflow(
            Researcher.run,
            args=[PROMPT, work.turns],
            id=work.thread,
            task_queue="langgraph",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await handle.result()
