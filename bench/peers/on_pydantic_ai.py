"""pydantic-ai with its Temporal integration, as its guide to durable execution begins."""

from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.durable_exec.temporal import PydanticAIPlugin, PydanticAIWorkflow, TemporalDurability
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import UsageLimits
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from bench.peers.work import PROMPT, SYSTEM, Work, act, next_call


async def look_up(topic: str) -> str:
    """Look a part up."""
    return await act(topic)


# -- not the user's code: the model -----------------------------------------------------------------


async def reply(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Call the tool, or answer."""
    topic = await next_call(sum(isinstance(message, ModelResponse) for message in messages))
    if topic is None:
        return ModelResponse(parts=[TextPart("All is well.")])
    return ModelResponse(parts=[ToolCallPart("look_up", {"topic": topic})])


MODEL = FunctionModel(reply, model_name="instant-1")

# -- the user's code --------------------------------------------------------------------------------

agent = Agent(MODEL, name="researcher", instructions=SYSTEM, tools=[look_up], capabilities=[TemporalDurability()])


@workflow.defn
class Researcher(PydanticAIWorkflow):
    """One conversation."""

    __pydantic_ai_agents__ = (agent,)

    @workflow.run
    async def run(self, prompt: str) -> str:
        """Run the agent to its answer."""
        result = await agent.run(prompt, usage_limits=UsageLimits(request_limit=None))
        return result.output


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    client = await Client.connect(work.temporal, plugins=[PydanticAIPlugin()])
    async with Worker(client, task_queue="pydantic-ai", workflows=[Researcher]):
        handle = await client.start_workflow(
            Researcher.run,
            PROMPT,
            id=work.thread,
            task_queue="pydantic-ai",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await handle.result()
