"""Perdure, its worker in the process; the tool says nothing of itself, so that it is never repeated blindly."""

import asyncio
from pathlib import Path
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy

import worker
from bench.peers.work import PROMPT, SYSTEM, Work, act, next_call
from bootstrap import Defaults, connect_temporal, open_log, open_views
from llm.body import body_of
from llm.messages import Block, ModelReply, ModelRequest, ModelTerms, TokenUsage, text_block
from llm.model import Model
from settings import Settings
from tools.tool import tool
from tools.workbench import Workbench


@tool
async def look_up(topic: str) -> str:
    """Look a part up."""
    return await act(topic)


async def do(work: Work) -> None:
    """Begin the thread or go on with it, to its end."""
    settings = Settings(workspace=Path(work.folder), graceful_shutdown_seconds=1)
    client = await connect_temporal(settings, work.temporal)
    await worker.register_search_attributes(client)
    async with open_log(settings, work.database) as log, open_views(settings, log) as views:
        toolbox = Workbench([look_up], settings.workspace)
        defaults = Defaults(ModelTerms(name="instant-1"), SYSTEM)
        async with worker.build(
            client, settings, log=log, model=InstantModel(), toolbox=toolbox, defaults=defaults, views=views
        ):
            limits = {"turns": None, "tool_calls": None, "tokens": None}
            handle = await client.start_workflow(
                "Agent",
                {"message": PROMPT, "limits": limits},
                id=work.thread,
                task_queue=settings.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            await handle.result()


# -- not the user's code: the model -----------------------------------------------------------------


class InstantModel(Model):
    """Answers at once; its requests are written as those to Claude are."""

    def encode(self, request: ModelRequest) -> bytes:
        """The body a server would be sent."""
        return body_of(request).written

    async def answer(self, request: ModelRequest, **_: Any) -> ModelReply:
        """Call the tool, or answer."""
        await asyncio.sleep(0)
        topic = await next_call(replies := sum(message.role == "assistant" for message in request.messages))
        return ModelReply(
            message_id=f"msg_{replies}",
            model=request.terms.name,
            content=(text_block("All is well."),) if topic is None else (_call(topic),),
            stop_reason="end_turn" if topic is None else "tool_use",
            usage=TokenUsage(),
        )


def _call(topic: str) -> Block:
    return {"type": "tool_use", "id": f"toolu_{topic.replace(' ', '_')}", "name": "look_up", "input": {"topic": topic}}
