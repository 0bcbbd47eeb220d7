"""Steering a running agent: interruptions, messages that turn it at once, breakpoints and single steps."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from eventlog.events import (
    BreakpointReached,
    LLMCallFailed,
    LLMCallRequested,
    RequestIgnored,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UserMessageAdded,
)
from stack.scripted.answers import Fault, Reply, Stalled
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.test_people import refused
from tests.workflow.world import PATIENCE, World
from tools.context import ToolContext
from tools.tool import tool

ENDLESS = Reply.text("word " * 400).at_pace(0.2, chunk=5)
ASK = {"launch": [Reply.tools(("launch", {"word": "it"}, "call_1")), Reply.text("done")]}
LOOK = {"look": [Reply.tools(("look", {"word": "it"}, "call_1")), Reply.text("done")]}


class Work:
    """Tools that tell when they have begun, and end only when they may."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()

    async def read(self) -> str:
        """Read for ever."""
        return await self._work()

    async def write(self) -> str:
        """Write for ever."""
        return await self._work()

    async def _work(self) -> str:
        self.began.set()
        await self.may_end.wait()
        return "it ended"


@pytest.fixture
async def work() -> Work:
    """The tools' strings."""
    return Work()


async def until_stopped(world: World, handle: WorkflowHandle[Any, Any], stop: str) -> None:
    """Return as soon as the thread is paused there."""
    await world.until(handle.id, lambda session: session.paused and session.stopped_at == stop)


@pytest.mark.parametrize("first", [ENDLESS, Stalled(0, 600)], ids=["streaming", "silent"])
async def test_an_interrupted_model_call_is_dropped_and_the_thread_waits(play: Play, first: Any) -> None:
    """Its connection is closed, the log says that it was dropped, and a message goes on from there."""
    world = await play({"talk": [[first, Reply.text("better")]]})
    handle = await world.start("talk")
    await world.model.arrival(1)
    await handle.signal("interrupt", {"by": "ana", "reason": "enough"})
    await world.until(handle.id, lambda session: session.steps == 1)
    assert (await world.types(handle.id))[-2:] == ["SessionInterrupted", "LLMCallFailed"]
    [failed] = [e for e in await world.events(handle.id) if isinstance(e, LLMCallFailed)]
    assert (failed.kind, failed.will_retry) == ("interrupted", False)
    assert world.model.requests[0].outcome == "abandoned"
    session = await world.session(handle.id)
    assert (session.status, session.stopped_at) == ("waiting", "interrupted")
    await handle.signal("message", "say it in a word")
    assert (await world.done(handle))["status"] == "completed"
    said = [block["text"] for block in world.model.requests[1].json["messages"][0]["content"]]
    assert said == ["talk", "say it in a word"]


async def test_an_interrupted_task_goes_on_where_it_is_resumed(play: Play) -> None:
    """The model is asked again, and shown the same."""
    world = await play({"talk": [[ENDLESS, Reply.text("done")]]})
    handle = await world.start("talk")
    await world.model.arrival(1)
    await handle.execute_update("interrupt", {"by": "ana"})
    await handle.execute_update("resume", {"by": "ana"})
    assert (await world.done(handle))["status"] == "completed"
    assert world.model.requests[0].json["messages"] == world.model.requests[1].json["messages"]


async def test_an_interruption_gives_every_call_its_outcome(play: Play, work: Work) -> None:
    """What only reads has failed, of what writes nobody knows, and what was asked about is withdrawn."""
    calls = [("read", {}, "call_1"), ("write", {}, "call_2"), ("launch", {"word": "it"}, "call_3")]
    world = await play(
        {"work": [Reply.tools(*calls), Reply.text("done")]},
        [tool(effect="read_only")(work.read), tool(effect="unsafe")(work.write), launch],
    )
    handle = await world.start("work")
    await world.until(handle.id, lambda session: len(session.waiting_for_answer) == 1)
    await world.until(handle.id, lambda session: [c.state for c in session.pending.values()].count("begun") == 2)
    await handle.execute_update("interrupt", {"by": "ana"})
    await world.until(handle.id, lambda session: not session.pending)
    events = await world.events(handle.id)
    failed = {e.call_id: e for e in events if isinstance(e, ToolExecutionFailed)}
    assert {id_: e.kind for id_, e in failed.items()} == {"call_1": "interrupted", "call_3": "interrupted"}
    assert "withdrawn" in failed["call_3"].error_message
    assert [e.call_id for e in events if isinstance(e, ToolExecutionOutcomeUnknown)] == ["call_2"]
    assert "interrupted already" in await refused(handle, "interrupt", {})
    await handle.execute_update("message", "go on")
    assert (await world.done(handle))["status"] == "completed"
    results = world.model.requests[1].json["messages"][2]["content"]
    assert [block["type"] for block in results] == ["tool_result"] * 3 + ["text"]


async def test_an_interruption_while_the_model_is_retried_stops_that(play: Play) -> None:
    """The next attempt, which is due in a minute, is not made."""
    world = await play({"talk": [[Fault(529, retry_after=60), Reply.text("done")]]})
    handle = await world.start("talk")
    await world.until(handle.id, lambda session: session.failures == 1)
    await handle.execute_update("interrupt", {})
    await world.until(handle.id, lambda session: session.steps == 1)
    await handle.execute_update("resume", {})
    assert (await world.done(handle))["status"] == "completed"


async def test_what_rests_cannot_be_interrupted(play: Play) -> None:
    """A chat that waits for a message runs nothing."""
    world = await play({"hello": [Reply.text("hi")]})
    handle = await world.start("hello", mode="chat")
    await world.until(handle.id, lambda session: session.turns == 1)
    assert "nothing runs" in await refused(handle, "interrupt", {})
    await handle.signal("terminate")
    await world.done(handle)


async def test_a_message_that_steers_drops_the_model_call(play: Play) -> None:
    """The model is asked again at once, with the message in view."""
    world = await play({"talk": [[ENDLESS, Reply.text("a poem")]]})
    handle = await world.start("talk")
    await world.model.arrival(1)
    await handle.signal("steer", {"message": "a poem, please", "sender": "ana"})
    assert (await world.done(handle))["status"] == "completed"
    events = await world.events(handle.id)
    [failed] = [e for e in events if isinstance(e, LLMCallFailed)]
    assert failed.kind == "interrupted"
    assert [e.steering for e in events if isinstance(e, UserMessageAdded)] == [False, True]
    assert "a poem, please" in str(world.model.requests[1].json["messages"])


async def test_a_message_that_steers_finds_calls_that_have_begun_and_others(play: Play, work: Work) -> None:
    """Begun ones finish, the others are not run, and the model reads of both before it reads the message."""
    calls = [("write", {}, "call_1"), ("launch", {"word": "it"}, "call_2")]
    world = await play({"work": [Reply.tools(*calls), Reply.text("done")]}, [tool(effect="unsafe")(work.write), launch])
    handle = await world.start("work")
    await world.until(handle.id, lambda session: len(session.waiting_for_answer) == 1)
    await asyncio.wait_for(work.began.wait(), PATIENCE)
    await handle.execute_update("steer", "something else")
    await world.until(handle.id, lambda session: list(session.pending) == ["call_1"])
    work.may_end.set()
    assert (await world.done(handle))["status"] == "completed"
    [skipped] = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionFailed)]
    assert (skipped.call_id, skipped.kind) == ("call_2", "steered")
    content = world.model.requests[1].json["messages"][2]["content"]
    assert "it ended" in str(content[0])
    assert "not run" in str(content[1])
    assert content[2]["text"] == "something else"


async def test_a_thread_stops_before_a_model_call_and_goes_past_it_once(play: Play) -> None:
    """Each model call is a point of its own; the state says where it stopped."""
    world = await play(LOOK, [look])
    handle = await world.start("look", breakpoints=[{"when": "before"}])
    await until_stopped(world, handle, "before model call 1 (breakpoint before:step)")
    assert (await handle.query("state"))["stopped_at"] == "before model call 1 (breakpoint before:step)"
    assert world.model.requests == []
    await handle.execute_update("resume", {})
    await world.until(handle.id, lambda session: session.stopped_at.startswith("before model call 2"))
    assert len(world.model.requests) == 1
    await handle.execute_update("clear_breakpoint", {"id": "before:step"})
    await handle.execute_update("resume", {})
    assert (await world.done(handle))["status"] == "completed"


async def test_a_run_that_has_just_begun_refuses_nothing_that_it_does_not_know(play: Play) -> None:
    """What is asked of a run before it has read its stream, as at every beginning of one, is decided by the stream."""
    world = await play(LOOK, [look])
    thread = f"t-{uuid4()}"
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "Agent",
        {"message": "look", "breakpoints": [{"when": "before"}]},
        id=thread,
        task_queue=world.queue,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    cleared = {"id": "before:step"}
    await world.client.execute_update_with_start_workflow(
        "clear_breakpoint", cleared, start_workflow_operation=start, result_type=dict
    )
    handle = await start.workflow_handle()
    world.handles.append(handle)
    await world.until(thread, lambda session: not session.steering.breakpoints)
    await world.client.get_workflow_handle(thread).signal("resume", {})
    assert (await world.done(handle))["status"] == "completed"


@pytest.mark.parametrize(
    ("when", "named", "stop"),
    [
        ("after", None, "after model call 1 (breakpoint after:step)"),
        ("before", "lo*", "before look (breakpoint before:lo*)"),
        ("after", "look", "after look (breakpoint after:look)"),
    ],
)
async def test_a_thread_stops_at_its_points(play: Play, when: str, named: str | None, stop: str) -> None:
    """After a model call, before and after a tool; resumed, it goes on."""
    world = await play(LOOK, [look])
    handle = await world.start("look", breakpoints=[{"when": when, "tool": named}])
    await world.until(handle.id, lambda session: session.stopped_at == stop)
    assert (await world.session(handle.id)).status == "paused"
    await handle.execute_update("resume", {})
    if when == "after" and named is None:
        await world.until(handle.id, lambda session: session.stopped_at.startswith("after model call 2"))
        await handle.execute_update("resume", {})
    assert (await world.done(handle))["status"] == "completed"
    expected = 2 if (when, named) == ("after", None) else 1
    assert (await world.types(handle.id)).count("BreakpointReached") == expected


@pytest.mark.parametrize(("stop", "again"), [("pause", "resume"), ("interrupt", "resume")])
async def test_nothing_begins_while_a_stop_is_on_its_way_into_the_log(play: Play, stop: str, again: str) -> None:
    """It came in with the thread itself: the model is not asked before it is a fact, and has its effect."""
    world = await play({"go": [Reply.text("done")]})
    handle = await world.client.start_workflow(
        "Agent",
        {"message": "go"},
        id=f"t-{uuid4()}",
        task_queue=world.queue,
        start_signal=stop,
        start_signal_args=[{"by": "ana"}],
    )
    world.handles.append(handle)
    await world.until(handle.id, lambda session: session.paused or session.held)
    assert (await handle.execute_update(again, {"by": "ana"}))["position"] == 3
    assert (await world.done(handle))["status"] == "completed"
    [call] = [event for event in await world.events(handle.id) if isinstance(event, LLMCallRequested)]
    assert call.at == 3


async def test_a_breakpoint_set_while_a_call_waits_for_leave_stops_before_it(play: Play) -> None:
    """The leave is given, and still the call does not begin."""
    world = await play(ASK, [launch])
    handle = await world.start("launch")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("set_breakpoint", {"tool": "launch", "by": "ben"})
    assert "already" in await refused(handle, "set_breakpoint", {"tool": "launch"})
    await handle.execute_update("approve", {"call_id": "call_1"})
    await world.until(handle.id, lambda session: session.stopped_at == "before launch (breakpoint before:launch)")
    assert "ToolExecutionRequested" not in await world.types(handle.id)
    await handle.execute_update("resume", {})
    assert (await world.done(handle))["status"] == "completed"
    [reached] = [e for e in await world.events(handle.id) if isinstance(e, BreakpointReached)]
    assert reached.calls == ("call_1",)


async def test_one_step_is_a_model_call_or_a_round_of_calls(play: Play) -> None:
    """After each the thread is paused again, and says after what."""
    world = await play(LOOK, [look])
    handle = await world.start("look", breakpoints=[{"when": "before"}])
    for stop in (
        "before model call 1 (breakpoint before:step)",
        "after one step: model call 1",
        "before model call 2 (breakpoint before:step)",
        "after one step: model call 2",
    ):
        await until_stopped(world, handle, stop)
        await handle.execute_update("step", {"by": "ana"})
    assert (await world.done(handle))["status"] == "completed"


async def test_late_and_doubled_requests_leave_a_record(play: Play) -> None:
    """A step that is not paused and a breakpoint that is not set change nothing."""
    world = await play(ASK, [launch])
    handle = await world.start("launch")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.signal("step")
    await handle.signal("clear_breakpoint", {"id": "x"})
    await handle.execute_update("approve", {"call_id": "call_1"})
    await world.done(handle)
    ignored = [e.request for e in await world.events(handle.id) if isinstance(e, RequestIgnored)]
    assert ignored == ["step", "clear_breakpoint"]


async def test_a_terminated_thread_leaves_no_call_open(play: Play, work: Work) -> None:
    """What runs is stopped, the question is withdrawn, and each call has its outcome before the end."""
    calls = [("write", {}, "call_1"), ("launch", {"word": "it"}, "call_2")]
    world = await play({"work": [Reply.tools(*calls)]}, [tool(effect="unsafe")(work.write), launch])
    handle = await world.start("work")
    await world.until(handle.id, lambda session: len(session.waiting_for_answer) == 1)
    await asyncio.wait_for(work.began.wait(), PATIENCE)
    await handle.signal("terminate", {"by": "ana"})
    assert (await world.done(handle))["status"] == "terminated"
    assert (await world.types(handle.id))[-4:] == [
        "SessionTerminationRequested",
        "ToolExecutionOutcomeUnknown",
        "ToolExecutionFailed",
        "SessionCompleted",
    ]


async def test_the_next_model_call_has_a_number_of_its_own(play: Play) -> None:
    """A dropped call is never taken for the one that comes after it."""
    world = await play({"talk": [[ENDLESS, ENDLESS, Reply.text("done")]]})
    handle = await world.start("talk")
    for number in (1, 2):
        await world.model.arrival(number)
        await handle.execute_update("steer", f"and {number}")
    await world.done(handle)
    requested = [e for e in await world.events(handle.id) if isinstance(e, LLMCallRequested)]
    assert [event.step for event in requested] == [1, 2, 3]


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
async def test_a_tool_cleans_up_after_a_call_that_was_stopped(play: Play, work: Work, how: str) -> None:
    """Its clean-up is given the call's arguments and key, and what it says stands in the outcome."""
    cleaned: list[tuple[str, str]] = []

    def clean(context: ToolContext, name: str) -> str:
        cleaned.append((name, context.idempotency_key))
        return "the draft is gone"

    async def draft(name: str) -> str:
        """Write a draft."""
        return await work.write() + name

    plays = {"work": [Reply.tools(("draft", {"name": "a.md"}, "call_1")), Reply.text("done")]}
    world = await play(plays, [tool(effect="unsafe", cleanup=clean)(draft)])
    handle = await world.start("work")
    await asyncio.wait_for(work.began.wait(), PATIENCE)
    await handle.execute_update(how, {"by": "ana"})
    await world.until(handle.id, lambda session: not session.pending)
    recorded = await world.recorded(handle.id)
    [intent] = [each.id for each in recorded if isinstance(each.event, ToolExecutionRequested)]
    [outcome] = [each.event for each in recorded if isinstance(each.event, ToolExecutionOutcomeUnknown)]
    assert cleaned == [("a.md", str(intent))]
    assert outcome.explanation.endswith("It was cleaned up: the draft is gone")
    if how == "interrupt":
        await handle.signal("terminate")
    await world.done(handle)
