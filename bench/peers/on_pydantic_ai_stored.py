"""pydantic-ai with its Temporal integration, made to last: it continues as new, and large payloads are kept outside."""

from pathlib import Path

from pydantic_ai import Agent, ModelMessage, RunContext
from pydantic_ai.durable_exec.temporal import PydanticAIPlugin, PydanticAIWorkflow, TemporalDurability
from pydantic_ai.usage import UsageLimits
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from bench.peers.on_pydantic_ai import MODEL, look_up
from bench.peers.storage import converter
from bench.peers.work import PROMPT, SYSTEM, Work

# -- the user's code --------------------------------------------------------------------------------


def continue_as_new(ctx: RunContext[None]) -> None:
    """Hand the conversation to a new run, with a history of its own."""
    workflow.continue_as_new(args=[None, ctx.messages])


agent = Agent(
    MODEL,
    name="lasting",
    instructions=SYSTEM,
    tools=[look_up],
    capabilities=[TemporalDurability(continue_as_new=continue_as_new)],
)


@workflow.defn
class Lasting(PydanticAIWorkflow):
    """One conversation, in as many runs as it takes."""

    __pydantic_ai_agents__ = (agent,)

    @workflow.run
    async def run(self, prompt: str | None, history: list[ModelMessage] | None = None) -> str:
        """Run the agent to its answer, or to its next run."""
        limits = UsageLimits(request_limit=None)
        result = await agent.run(prompt, message_history=history, usage_limits=limits)
        return result.output


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    storage = converter(Path(work.folder))
    client = await Client.connect(work.temporal, data_converter=storage, plugins=[PydanticAIPlugin()])
    async with Worker(client, task_queue="pydantic-ai-stored", workflows=[Lasting]):
        handle = await client.start_workflow(
            Lasting.run,
            PROMPT,
            id=work.thread,
            task_queue="pydantic-ai-stored",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await handle.result()
