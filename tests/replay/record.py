"""Records the histories of this version: `python -m tests.replay.record`. Run once, when a version is released."""

import asyncio
import platform
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from temporalio.client import WorkflowHandle

from eventlog.memory import MemoryEventLog
from stack.ports import free_port
from stack.scripted.answers import Broken, Fault, Reply
from stack.scripted.playbook import Step
from stack.temporal import DYNAMIC_CONFIG, TemporalServer
from tests.replay import CORPUS
from tests.workflow.hands import launch, look, stumble
from tests.workflow.world import World, world

ENDLESS = Reply.text("word " * 400).at_pace(0.2, chunk=5)
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
    "terminated": [ENDLESS],
    "asked": [
        Reply.tools(("ask_human", {"question": "Which?", "kind": "choose", "options": ["red", "blue"]}, "call_1")),
        Reply.text("done"),
    ],
    "reviewed": [Reply.text("draft"), Reply.text("done")],
    "stepped": [Reply.tools(("look", {"word": "it"}, "call_1")), Reply.text("done")],
    "steered": [[ENDLESS, Reply.text("done")]],
    "interrupted": [[ENDLESS, Reply.text("done")]],
    "held-back": [Reply.text("done")],
    "circling": [Reply.tools(("look", {"word": "x"}))] * 12,
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
    await vote(here)
    await escalate(here)
    await answer(here)
    await review(here)
    await step(here)
    await steer(here)
    await interrupt(here)
    await hold_back(here)
    await allow_more(here)
    await circle(here)


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


async def vote(here: World) -> None:
    """A question that two people must answer, and that one of them edits."""
    handle = await here.start("approval", approval={"quorum": 2})
    await here.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("approve", {"call_id": "call_1", "approver": "ana"})
    edited = {"call_id": "call_1", "approver": "ben", "edited_arguments": {"word": "that"}}
    await handle.execute_update("approve", edited)
    await here.until(handle.id, lambda session: session.position >= 6)
    seen = len(await here.events(handle.id)) - 1
    await handle.execute_update("approve", {"call_id": "call_1", "approver": "ana", "position": seen})
    await here.done(handle)
    await keep(here, "quorum", handle)


async def escalate(here: World) -> None:
    """A question that goes on to others, and runs in the end because nobody said no."""
    terms = {"timeout": 0.3, "escalation": [{"approvers": ["boss"], "timeout": 0.3}]}
    handle = await here.start("approval", approval=terms)
    await here.done(handle)
    await keep(here, "escalated", handle)


async def answer(here: World) -> None:
    """A question of the model's own."""
    handle = await here.start("asked")
    await here.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("answer", {"call_id": "call_1", "value": "red", "by": "ana"})
    await here.done(handle)
    await keep(here, "asked", handle)


async def review(here: World) -> None:
    """A final answer that is sent back once."""
    handle = await here.start("reviewed", review=True)
    for verdict in ({"verdict": "send_back", "comments": "shorter"}, "accept"):
        await here.until(handle.id, lambda session: session.status == "waiting")
        await handle.execute_update("answer", {"call_id": "final-answer", "value": verdict, "by": "ana"})
    await here.done(handle)
    await keep(here, "reviewed", handle)


async def step(here: World) -> None:
    """A breakpoint, one step, and on."""
    handle = await here.start("stepped", breakpoints=[{"when": "before"}])
    await here.until(handle.id, lambda session: session.paused)
    position = await handle.execute_update("step", {"by": "ana"})
    await here.until(handle.id, lambda session: session.paused and session.position > position["position"])
    await handle.execute_update("clear_breakpoint", {})
    await handle.execute_update("resume", {})
    await here.done(handle)
    await keep(here, "stepped", handle)


async def steer(here: World) -> None:
    """A word in the middle of a model call."""
    handle = await here.start("steered")
    await here.until(handle.id, lambda session: session.position >= 2)
    await handle.execute_update("steer", {"message": "be brief"})
    await here.done(handle)
    await keep(here, "steered", handle)


async def interrupt(here: World) -> None:
    """A model call that is stopped, and a message after it."""
    handle = await here.start("interrupted")
    await here.until(handle.id, lambda session: session.position >= 2)
    await handle.execute_update("interrupt", {"by": "ana"})
    await here.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("message", "go on")
    await here.done(handle)
    await keep(here, "interrupted", handle)


async def hold_back(here: World) -> None:
    """A pause that comes with the thread itself, so that nothing begins before it is a fact."""
    name = "held-back"
    handle = await here.client.start_workflow(
        "Agent",
        {"message": name},
        id=f"{name}-{uuid4()}",
        task_queue=here.queue,
        start_signal="pause",
        start_signal_args=[{"by": "ana"}],
    )
    await here.until(handle.id, lambda session: session.paused)
    await handle.execute_update("resume", {})
    await here.done(handle)
    await keep(here, name, handle)


async def allow_more(here: World) -> None:
    """A limit at which a person is asked for more."""
    handle = await here.start("parallel", limits={"turns": 1, "at_limit": "ask"})
    await here.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("raise", {"amounts": {"turns": 5}, "by": "ana"})
    await here.done(handle)
    await keep(here, "raised", handle)


async def circle(here: World) -> None:
    """An agent that turns in circles: told, stopped for a person, ended."""
    handle = await here.start("circling")
    await here.until(handle.id, lambda session: session.paused)
    await handle.execute_update("resume", {})
    await here.done(handle)
    await keep(here, "circling", handle)


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
