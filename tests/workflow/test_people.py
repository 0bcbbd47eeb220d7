"""People: approvals, messages, pauses and ends, by signal as by hand and by update."""

import asyncio

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from eventlog.events import ApprovalGranted, RequestIgnored, ToolExecutionCompleted, ToolExecutionRequested
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.world import PATIENCE, World

ASK = {"launch": [Reply.tools(("launch", {"word": "it"}, "call_1")), Reply.text("done")]}


async def asking(play: Play, **terms: object) -> tuple[World, WorkflowHandle[object, object]]:
    """A world with a thread that waits for an approval."""
    world = await play(ASK, [launch, look])
    handle = await world.start("launch", principal="ben", **terms)
    await world.until(handle.id, lambda session: session.status == "waiting")
    return world, handle


async def refused(handle: WorkflowHandle[object, object], name: str, request: object) -> str:
    """Why an update was refused."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(name, request)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def test_an_approval_signalled_by_hand_lets_the_call_run_once(play: Play) -> None:
    """The exact arguments that were asked about are run, and doubled answers change nothing."""
    world, handle = await asking(play)
    for _ in range(3):
        await handle.signal("approve", {"call_id": "call_1", "approver": "ana"})
    assert (await world.done(handle))["status"] == "completed"
    events = await world.events(handle.id)
    [granted] = [e for e in events if isinstance(e, ApprovalGranted)]
    [done] = [e for e in events if isinstance(e, ToolExecutionCompleted)]
    assert granted.approver == "ana"
    assert done.result[0]["text"] == "launched it for ben"


async def test_a_denial_reaches_the_model_with_its_reason(play: Play) -> None:
    """The call is not run; the model reads why."""
    world, handle = await asking(play)
    await handle.signal("deny", {"call_id": "call_1", "approver": "ana", "reason": "not on a Friday"})
    await world.done(handle)
    assert "ToolExecutionRequested" not in await world.types(handle.id)
    assert "not on a Friday" in str(world.model.requests[1].json["messages"][-1])


async def test_an_approver_may_edit_the_arguments(play: Play) -> None:
    """The edited arguments are run, both versions are in the log, and the model learns of it."""
    world, handle = await asking(play)
    await handle.execute_update("approve", {"call_id": "call_1", "edited_arguments": {"word": "less"}})
    await world.done(handle)
    [intent] = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionRequested)]
    assert intent.arguments == {"word": "less"}
    assert "less" in str(world.model.requests[1].json["messages"][-1])


async def test_an_edit_that_the_tool_cannot_take_is_refused_and_the_question_stays_open(play: Play) -> None:
    """The approver is told what is wrong at once."""
    world, handle = await asking(play)
    problem = await refused(handle, "approve", {"call_id": "call_1", "edited_arguments": {"word": 7, "x": 1}})
    assert "x" in problem
    assert (await world.session(handle.id)).status == "waiting"


async def test_a_question_nobody_answers_expires(play: Play) -> None:
    """The model reads that nobody answered in time."""
    world, handle = await asking(play, approval_timeout=0.3)
    await world.done(handle)
    types = await world.types(handle.id)
    assert "ApprovalExpired" in types
    assert "ToolExecutionRequested" not in types


async def test_unknown_late_and_malformed_answers_are_recorded_and_change_nothing(play: Play) -> None:
    """Signals cannot be refused, so they leave a record."""
    world, handle = await asking(play)
    await handle.signal("approve", {"call_id": "call_9"})
    await handle.signal("approve", {"call": "call_1"})
    await handle.signal("deny", 17)
    await handle.signal("resume")
    await handle.signal("approve")
    await handle.signal("message", args=["one", "two"])
    await handle.signal("message", {"message": "half of an emoji: \ud83d"})
    await handle.execute_update("approve", {"call_id": "call_1"})
    await world.done(handle)
    ignored = [e for e in await world.events(handle.id) if isinstance(e, RequestIgnored)]
    assert [event.request for event in ignored] == [
        *("approve", "approve", "deny", "resume", "approve", "message", "message")
    ]
    assert "call_9" in ignored[0].problem
    assert "call_id" in ignored[1].problem
    assert "call_id" in ignored[4].problem
    assert "one input" in ignored[5].problem
    assert "unicode" in ignored[6].problem


async def test_an_edit_may_hold_half_a_character(play: Play) -> None:
    """JSON can say it, so it reaches the tool through Temporal and the log."""
    world, handle = await asking(play)
    await handle.signal("approve", {"call_id": "call_1", "edited_arguments": {"word": "\ud83d"}})
    await world.done(handle)
    [intent] = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionRequested)]
    assert intent.arguments == {"word": "\ud83d"}


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("approve", [], "call_id: Field required"),
        ("approve", [17], "should be a valid dictionary"),
        ("message", ["one", "two"], "one input is read, not 2"),
        ("deny", [{"call": "call_1"}], "call_id: Field required"),
        ("pause", [{"by": ["ana"]}], "by: Input should be a valid string"),
        ("resume", [], "the session is not paused"),
    ],
)
async def test_an_update_that_cannot_be_read_is_refused_in_words(
    play: Play, name: str, given: list[object], problem: str
) -> None:
    """Whatever its inputs are, and however many, its sender learns what is wrong, and the log is not written to."""
    world, handle = await asking(play)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(name, args=given)
    assert isinstance(caught.value.cause, ApplicationError)
    assert problem in caught.value.cause.message
    assert "RequestIgnored" not in await world.types(handle.id)


async def test_an_update_without_input_is_taken_where_nothing_must_be_said(play: Play) -> None:
    """A pause needs no more than its name."""
    world, handle = await asking(play)
    assert await handle.execute_update("pause") == {"position": 5}
    assert (await world.session(handle.id)).paused


async def test_updates_are_refused_in_words(play: Play) -> None:
    """A validator tells the sender at once, and nothing is written but a record of what was said of a question."""
    world, handle = await asking(play)
    before = await world.types(handle.id)
    assert "not paused" in await refused(handle, "resume", {})
    assert await world.types(handle.id) == before
    assert "call_9" in await refused(handle, "deny", {"call_id": "call_9"})
    assert await world.types(handle.id) == [*before, "RequestIgnored"]


async def test_queries_tell_the_state_and_what_waits(play: Play) -> None:
    """Both can be asked by any client."""
    world, handle = await asking(play)
    [waiting] = await handle.query("pending")
    state = await handle.query("state")
    assert waiting["call_id"] == "call_1"
    assert waiting["tool_name"] == "launch"
    assert (state["status"], state["pending"]) == ("waiting", 1)
    assert state["position"] == (await world.session(handle.id)).position


async def test_search_attributes_say_who_waits(play: Play) -> None:
    """Status, tenant and number of open questions are set on the workflow."""
    _, handle = await asking(play, tenant="acme")
    expected = {"PerdureStatus": "waiting", "PerdureTenant": "acme", "PerdurePending": 1}
    async with asyncio.timeout(PATIENCE):
        while await shown(handle) != expected:
            await asyncio.sleep(0.05)


async def shown(handle: WorkflowHandle[object, object]) -> dict[str, object]:
    """Our search attributes of a workflow."""
    attributes = (await handle.describe()).typed_search_attributes
    return {pair.key.name: pair.value for pair in attributes if pair.key.name.startswith("Perdure")}


async def test_a_chat_waits_for_the_next_message_and_ends_when_nobody_comes(play: Play) -> None:
    """Three turns of conversation, then the idle time-out."""
    world = await play({"hello": [Reply.text("hi"), Reply.text("fine"), Reply.text("bye")]})
    handle = await world.start("hello", mode="chat", idle_timeout=1.0)
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.signal("message", "how are you?")
    await world.until(handle.id, lambda session: session.turns == 2 and session.status == "waiting")
    await handle.execute_update("message", {"message": "good", "sender": "ana"})
    assert (await world.done(handle))["reason"] == "timeout"
    said = [message["content"][-1]["text"] for message in world.model.requests[-1].json["messages"]]
    assert said == ["hello", "hi", "how are you?", "fine", "good"]


async def test_a_message_during_a_model_call_is_answered_next(play: Play) -> None:
    """It comes after the reply that had not read it, and the task goes on with it."""
    slow = Reply.text("thinking about it").at_pace(0.3, chunk=4)
    world = await play({"hello": [slow, Reply.text("both")]})
    handle = await world.start("hello")
    await world.model.arrival(1)
    await handle.signal("message", "and this?")
    assert (await world.done(handle))["status"] == "completed"
    assert [m["role"] for m in world.model.requests[1].json["messages"]] == ["user", "assistant", "user"]


async def test_a_paused_session_begins_nothing_until_it_is_resumed(play: Play) -> None:
    """The pending approval may be given meanwhile; it is acted on after the pause."""
    world, handle = await asking(play)
    await handle.execute_update("pause", {"by": "ana"})
    await handle.execute_update("approve", {"call_id": "call_1"})
    assert (await handle.query("state"))["status"] == "paused"
    assert "ToolExecutionRequested" not in await world.types(handle.id)
    await handle.execute_update("resume", {"by": "ana"})
    assert (await world.done(handle))["status"] == "completed"


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_a_session_is_stopped_in_the_middle_of_a_model_call(play: Play, how: str) -> None:
    """It ends as terminated, and nothing is written after its end."""
    endless = Reply.text("word " * 400).at_pace(0.2, chunk=5)
    world = await play({"talk": [endless]})
    handle = await world.start("talk")
    await world.model.arrival(1)
    if how == "terminate":
        await handle.signal("terminate", {"by": "ana", "reason": "enough"})
    else:
        await handle.cancel()
    await world.until(handle.id, lambda session: session.completed == "terminated")
    ending = ["SessionTerminationRequested", "LLMCallFailed", "SessionCompleted"]
    assert (await world.types(handle.id))[-3:] == ending


async def test_a_session_cancelled_at_its_start_has_an_end_too(play: Play) -> None:
    """Whenever the cancellation comes, the stream says how the session ended."""
    world = await play({"talk": [Reply.text("word " * 400).at_pace(0.2, chunk=5)]})
    handle = await world.start("talk")
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await world.done(handle)
    types = await world.types(handle.id)
    assert types[0] == "SessionStarted"
    assert types[-1] == "SessionCompleted"
