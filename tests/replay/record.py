"""Records the histories of this version: `python -m tests.replay.record`. Run once, when a version is released."""

import asyncio
import platform
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from temporalio.client import WorkflowHandle

from eventlog.memory import MemoryEventLog
from stack.ports import free_port
from stack.scripted.answers import Broken, Fault, Reply
from stack.scripted.playbook import Step
from stack.temporal import DYNAMIC_CONFIG, TemporalServer
from tests.replay import CORPUS
from tests.workflow.hands import launch, look, stumble
from tests.workflow.world import World, world

CONVERSATIONS: dict[str, Sequence[Step]] = {
    "parallel": [
        Reply.tools(*((("look", {"word": str(n)}, f"call_{n}")) for n in range(4)), ("stumble", {"word": "x"})),
        Reply.text("done"),
    ],
    "approval": [Reply.tools(("launch", {"word": "it"}, "call_1")), Reply.text("done")],
    "failures": [[Fault(429, retry_after=0.1), Fault(529, retry_after=0.1), Broken(3), Reply.text("at last")]],
    "refused": [[Fault(400)]],
    "long": [*(Reply.tools(("look", {"word": str(n)})) for n in range(8)), Reply.text("done")],
    "chat": [Reply.text("one"), Reply.text("two")],
    "limits": [Reply.tools(("look", {"word": "x"}))] * 9,
    "terminated": [Reply.text("word " * 400).at_pace(0.2, chunk=5)],
}
CHECKOUT = Path(__file__).parents[2]
"""Taken out of what is recorded, like the machine's name."""


async def main() -> None:
    """Run each conversation and keep its histories."""
    folder = Path(tempfile.mkdtemp())
    server = TemporalServer(
        None,
        port=free_port(),
        ui_port=None,
        record=folder / "pid",
        log=folder / "log",
        dynamic_config={**DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew": 60},
    )
    async with AsyncExitStack() as exits:
        exits.push_async_callback(server.stop)
        await server.start()
        here = await exits.enter_async_context(
            world(server.address, MemoryEventLog(), folder, CONVERSATIONS, [launch, look, stumble])
        )
        await record(here)


async def record(here: World) -> None:
    """Play every part once."""
    for name in ("parallel", "failures", "refused", "long"):
        handle = await here.start(name)
        await here.done(handle)
        await keep(here, name, handle)
    await approve(here, "approval")
    await approve(here, "approval-denied", deny=True)
    await approve(here, "approval-expired", approval_timeout=0.2)
    limited = await here.start("limits", limits={"turns": 2})
    await here.done(limited)
    await keep(here, "limits", limited)
    await chat(here)
    await terminate(here)


async def approve(here: World, name: str, *, deny: bool = False, **terms: float) -> None:
    """A question and its answer."""
    handle = await here.start("approval", **terms)
    await here.until(handle.id, lambda session: session.status == "waiting")
    if not terms:
        await handle.execute_update("pause", {})
        await handle.execute_update("deny" if deny else "approve", {"call_id": "call_1"})
        await handle.execute_update("resume", {})
    await here.done(handle)
    await keep(here, name, handle)


async def chat(here: World) -> None:
    """Two turns and an idle end."""
    handle = await here.start("chat", mode="chat", idle_timeout=1)
    await here.until(handle.id, lambda session: session.status == "waiting")
    await handle.signal("message", "more")
    await here.done(handle)
    await keep(here, "chat", handle)


async def terminate(here: World) -> None:
    """An end in the middle of a model call."""
    handle = await here.start("terminated")
    await here.until(handle.id, lambda session: session.position >= 2)
    await handle.signal("terminate", {"by": "ana"})
    await here.done(handle)
    await keep(here, "terminated", handle)


async def keep(here: World, name: str, handle: WorkflowHandle[object, object]) -> None:
    """Write the history of every run of the thread."""
    runs = [each async for each in here.client.list_workflows(f'WorkflowId="{handle.id}"')]
    for number, run in enumerate(sorted(runs, key=lambda each: each.start_time)):
        history = await here.client.get_workflow_handle(handle.id, run_id=run.run_id).fetch_history()
        CORPUS.mkdir(parents=True, exist_ok=True)
        text = history.to_json().replace(f"{CHECKOUT}/", "").replace(platform.node(), "recorder")
        (CORPUS / f"{name}-{number}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
