"""LangGraph with its PostgreSQL checkpointer in its most durable mode; who restarts the process, goes on."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from bench.peers.work import PROMPT, SYSTEM, Work, act, next_call

# -- not the user's code: the model -----------------------------------------------------------------


class InstantModel(BaseChatModel):
    """Answers at once."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        topic = await next_call(sum(isinstance(message, AIMessage) for message in messages))
        reply = AIMessage("All is well.") if topic is None else _call(topic)
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _call(topic: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"id": f"call {topic}", "name": "look_up", "args": {"topic": topic}}])


# -- the user's code --------------------------------------------------------------------------------

MODEL = InstantModel()


@tool
async def look_up(topic: str) -> str:
    """Look a part up."""
    return await act(topic)


async def ask(state: MessagesState) -> dict[str, Any]:
    """Ask the model."""
    return {"messages": [await MODEL.ainvoke([SystemMessage(SYSTEM), *state["messages"]])]}


def researcher(state: Any) -> StateGraph:
    """The agent's graph over a state."""
    graph = StateGraph(state)
    graph.add_node("model", ask, input_schema=state)
    graph.add_node("tools", ToolNode([look_up]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph


async def do(work: Work, state: Any = MessagesState) -> None:
    """Begin the thread or go on with it, to its end."""
    async with AsyncPostgresSaver.from_conn_string(work.database) as checkpointer:
        await checkpointer.setup()
        graph = researcher(state).compile(checkpointer=checkpointer)
        config = {"configurable": {"thread_id": work.thread}, "recursion_limit": 2 * work.turns + 10}
        begun = (await graph.aget_state(config)).values
        given = None if begun else {"messages": [("user", PROMPT)]}
        await graph.ainvoke(given, config, durability="sync")
