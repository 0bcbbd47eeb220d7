"""OpenAI's Agents SDK with Temporal's integration, as that begins; its time-outs are those of its examples."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from agents import Agent, Model, ModelProvider, ModelResponse, Runner, TResponseInputItem, Usage, set_tracing_disabled
from agents.items import TResponseStreamEvent
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.converter import DataConverter
from temporalio.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin
from temporalio.openai_agents.workflow import activity_as_tool
from temporalio.worker import Worker

from bench.peers.work import PROMPT, SYSTEM, Work, act, next_call


@activity.defn
async def look_up(topic: str) -> str:
    """Look a part up."""
    return await act(topic)


@workflow.defn
class Researcher:
    """One conversation."""

    @workflow.run
    async def run(self, prompt: str, chained: bool) -> str:
        """Run the agent to its answer; chained, OpenAI keeps the conversation, and is sent what is new."""
        tool = activity_as_tool(look_up, start_to_close_timeout=timedelta(seconds=10))
        agent = Agent(name="Researcher", instructions=SYSTEM, tools=[tool])
        result = await Runner.run(agent, input=prompt, max_turns=None, auto_previous_response_id=chained)
        return result.final_output


async def do(work: Work, *, chained: bool = False, data_converter: DataConverter = DataConverter.default) -> None:
    """Begin the thread or go on with it, to its end."""
    set_tracing_disabled(disabled=True)
    params = ModelActivityParameters(start_to_close_timeout=timedelta(seconds=30))
    plugin = OpenAIAgentsPlugin(model_params=params, model_provider=Instant())
    client = await Client.connect(work.temporal, data_converter=data_converter, plugins=[plugin])
    async with Worker(client, task_queue="openai-agents", workflows=[Researcher], activities=[look_up]):
        handle = await client.start_workflow(
            Researcher.run,
            args=[PROMPT, chained],
            id=work.thread,
            task_queue="openai-agents",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await handle.result()


# -- not the user's code: the model -----------------------------------------------------------------


class InstantModel(Model):
    """Answers at once."""

    async def get_response(
        self,
        system_instructions: str | None,  # noqa: ARG002 - named by the library
        input: str | list[TResponseInputItem],  # noqa: A002 - likewise
        *_: Any,
        previous_response_id: str | None = None,
        **__: Any,
    ) -> ModelResponse:
        """Call the tool, or answer."""
        replies = int(previous_response_id.partition("_")[2]) if previous_response_id else _replies(input)
        topic = await next_call(replies)
        output = _message() if topic is None else _call(topic)
        return ModelResponse(output=[output], usage=Usage(), response_id=f"resp_{replies + 1}")

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Nobody streams here."""
        raise NotImplementedError


class Instant(ModelProvider):
    """Has one model."""

    def get_model(self, model_name: str | None) -> Model:  # noqa: ARG002 - likewise
        """The model, whatever its name."""
        return InstantModel()


def _replies(items: str | list[TResponseInputItem]) -> int:
    return 0 if isinstance(items, str) else sum(item.get("type") == "function_call" for item in items)


def _call(topic: str) -> ResponseFunctionToolCall:
    id_ = f"call_{topic.replace(' ', '_')}"
    arguments = json.dumps({"topic": topic})
    return ResponseFunctionToolCall(call_id=id_, id=id_, name="look_up", arguments=arguments, type="function_call")


def _message() -> ResponseOutputMessage:
    text = ResponseOutputText(text="All is well.", annotations=[], type="output_text")
    return ResponseOutputMessage(id="msg", content=[text], role="assistant", status="completed", type="message")
