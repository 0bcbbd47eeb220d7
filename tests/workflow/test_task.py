"""A task: from its first message to its final answer."""

import hashlib
from datetime import UTC, datetime
from uuid import uuid4

from eventlog.events import (
    LLMCallRequested,
    LLMResponseReceived,
    SessionCompleted,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    UserMessageAdded,
)
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId, stream_of
from stack.scripted.answers import Broken, Fault, Reply
from tests.workflow.conftest import Play
from tests.workflow.hands import look, snap, stumble


async def test_a_task_ends_with_its_answer_in_the_log(play: Play) -> None:
    """The outcome is a reference; the words stand in the stream."""
    world = await play({"hello": [Reply.text("hi there")]})
    handle = await world.start("hello")
    outcome = await world.done(handle)
    events = await world.events(handle.id)
    assert [event.type for event in events] == [
        "SessionStarted",
        "UserMessageAdded",
        "LLMCallRequested",
        "LLMResponseReceived",
        "SessionCompleted",
    ]
    assert isinstance(events[-1], SessionCompleted)
    assert events[-1].answer == "hi there"
    assert outcome == {"thread_id": handle.id, "status": "completed", "reason": "success", "position": 4}


async def test_parallel_calls_each_have_their_events_and_results_reach_the_model_in_call_order(play: Play) -> None:
    """Three calls in one reply: three intents, three outcomes, one message of three results."""
    calls = [("look", {"word": word}, f"call_{word}") for word in ("one", "two", "three")]
    world = await play({"look": [Reply.tools(*calls), Reply.text("all fine")]}, [look])
    handle = await world.start("look")
    await world.done(handle)
    events = await world.events(handle.id)
    assert sum(event.type == "ToolExecutionRequested" for event in events) == 3
    assert {e.call_id for e in events if isinstance(e, ToolExecutionCompleted)} == {c[2] for c in calls}
    results = world.model.requests[1].json["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in results] == [call[2] for call in calls]


async def test_a_tool_that_fails_is_told_to_the_model_and_ends_nothing(play: Play) -> None:
    """An error is a result the model reads."""
    world = await play({"try": [Reply.tools(("stumble", {"word": "it"})), Reply.text("I see")]}, [stumble])
    handle = await world.start("try")
    assert (await world.done(handle))["status"] == "completed"
    [failed] = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionFailed)]
    assert "it cannot be had" in failed.error_message
    result = world.model.requests[1].json["messages"][-1]["content"][0]
    assert result["is_error"] is True
    assert "it cannot be had" in str(result["content"])


async def test_mistaken_arguments_and_unknown_tools_are_told_to_the_model(play: Play) -> None:
    """Both come back as errors in words, and neither leaves an intent."""
    reply = Reply.tools(("look", {"wort": 1}, "call_a"), ("levitate", {}, "call_b"))
    world = await play({"go": [reply, Reply.text("sorry")]}, [look])
    handle = await world.start("go")
    await world.done(handle)
    events = await world.events(handle.id)
    kinds = {e.call_id: e.kind for e in events if isinstance(e, ToolExecutionFailed)}
    assert kinds == {"call_a": "invalid_arguments", "call_b": "unknown_tool"}
    assert "ToolExecutionRequested" not in [event.type for event in events]


async def test_the_request_in_the_log_is_the_request_on_the_wire(play: Play) -> None:
    """The hash of each LLMCallRequested is that of the bytes the server received."""
    world = await play({"look": [Reply.tools(("look", {"word": "é\u0000"})), Reply.text("ok")]}, [look])
    handle = await world.start("look")
    await world.done(handle)
    requested = [e for e in await world.events(handle.id) if isinstance(e, LLMCallRequested)]
    sent = [hashlib.sha256(request.body).hexdigest() for request in world.model.requests]
    assert [event.request_sha256 for event in requested] == sent


async def test_a_rejected_answer_is_asked_for_again_until_it_fits_the_schema(play: Play) -> None:
    """The model reads what is wrong; the result is kept as JSON."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    world = await play({"count": [Reply.text("many"), Reply.text('{"n": "two"}'), Reply.text('{"n": 2}')]})
    handle = await world.start("count", result_schema=schema)
    assert (await world.done(handle))["reason"] == "success"
    completed = (await world.events(handle.id))[-1]
    assert isinstance(completed, SessionCompleted)
    assert completed.result == {"n": 2}
    replies = [e for e in await world.events(handle.id) if isinstance(e, LLMResponseReceived)]
    assert [reply.final for reply in replies] == [False, False, True]


async def test_an_answer_that_never_fits_ends_as_a_failure(play: Play) -> None:
    """It is asked for a few times and no more."""
    world = await play({"count": [Reply.text("many")] * 9})
    handle = await world.start("count", result_schema={"type": "integer"})
    assert (await world.done(handle))["status"] == "failed"
    assert len(world.model.requests) == 4


async def test_a_truncated_tool_call_is_never_run(play: Play) -> None:
    """The model is told that its reply was cut off, and asks again."""
    cut = Reply.broken_off("look", '{"word": "o')
    whole = Reply.tools(("look", {"word": "one"}))
    world = await play({"look": [cut, whole, Reply.text("ok")]}, [look])
    handle = await world.start("look")
    assert (await world.done(handle))["status"] == "completed"
    types = await world.types(handle.id)
    assert types.count("ToolExecutionRequested") == 1


async def test_a_paused_turn_is_continued_and_a_refusal_ends_the_task(play: Play) -> None:
    """Each stop reason has its right answer."""
    world = await play(
        {
            "long": [Reply.text("wait", stop_reason="pause_turn"), Reply.text("there")],
            "bad": [Reply.text("no", stop_reason="refusal")],
            "cut": [Reply.text("once upon", stop_reason="max_tokens"), Reply.text("a time")],
        }
    )
    long, bad, cut = [await world.start(message) for message in ("long", "bad", "cut")]
    assert (await world.done(long))["status"] == "completed"
    assert (await world.done(cut))["status"] == "completed"
    assert (await world.done(bad))["status"] == "failed"


async def test_transient_failures_are_retried_and_recorded(play: Play) -> None:
    """429 with retry-after, 529 and a broken stream: one reply in the end, every failure in the log."""
    faults = [Fault(429, retry_after=0.1), Fault(529, retry_after=0.1), Broken(3), Reply.text("at last")]
    world = await play({"hello": [faults]})
    handle = await world.start("hello")
    assert (await world.done(handle))["status"] == "completed"
    types = await world.types(handle.id)
    assert types.count("LLMCallFailed") == 3
    assert types.count("LLMCallRequested") == 1
    assert types.count("LLMResponseReceived") == 1


async def test_a_permanent_failure_ends_a_task_at_once(play: Play) -> None:
    """A 401 is not asked again."""
    world = await play({"hello": [Fault(401)]})
    handle = await world.start("hello")
    assert (await world.done(handle))["status"] == "failed"
    assert len(world.model.requests) == 1


async def test_a_request_that_no_json_can_say_is_a_failure_of_the_model_call(play: Play) -> None:
    """Whatever somebody wrote into the stream, the thread says at once why the model cannot be asked."""
    world = await play({"hi": [Reply.text("ho")]})
    handle = await world.start("hi", mode="chat")
    await world.until(handle.id, lambda session: session.status == "waiting")
    block = {"type": "text", "text": "beyond", "n": float("inf")}
    event = UserMessageAdded(message="all numbers", attachments=(block,), sender="somebody else")
    await world.log.append(stream_of(ThreadId(handle.id)), Entry(uuid4(), event, Metadata(at=datetime.now(UTC))))
    await handle.signal("message", "more")
    session = await world.until(handle.id, lambda session: bool(session.stalled))
    assert "invalid_request" in session.stalled
    await handle.execute_update("terminate", {})
    await world.done(handle)


async def test_starting_twice_is_starting_once(play: Play) -> None:
    """The same thread id answers as the thread it is."""
    world = await play({"hello": [Reply.text("hi")]})
    handle = await world.start("hello", thread="my-own-key")
    await world.done(handle)
    before = await world.types("my-own-key")
    again = await world.start("hello", thread="my-own-key")
    assert (await world.done(again))["reason"] == "success"
    assert await world.types("my-own-key") == before


async def test_a_quick_tool_runs_as_a_local_activity_with_the_same_events(play: Play) -> None:
    """It costs Temporal one marker, and the stream cannot tell the difference."""
    world = await play({"sum": [Reply.tools(("calculate", {"expression": "6 * 7"})), Reply.text("42")]})
    handle = await world.start("sum")
    await world.done(handle)
    history = await handle.fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert "run_tool" not in scheduled
    assert sum(event.HasField("marker_recorded_event_attributes") for event in history.events) == 1
    [done] = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionCompleted)]
    assert done.result[0]["text"] == "42"
    assert "ToolExecutionRequested" in await world.types(handle.id)


async def test_a_quick_tool_that_must_be_allowed_asks_like_any_other(play: Play) -> None:
    """The question, the answer and the call are what they are for other tools."""
    world = await play({"go": [Reply.tools(("snap", {"word": "x"}, "call_1")), Reply.text("done")]}, [snap])
    handle = await world.start("go")
    await world.until(handle.id, lambda session: session.status == "waiting")
    await handle.execute_update("approve", {"call_id": "call_1"})
    assert (await world.done(handle))["status"] == "completed"
    assert (await world.types(handle.id)).count("ToolExecutionCompleted") == 1


async def test_an_answer_that_was_cut_off_is_checked_whole(play: Play) -> None:
    """The pieces together fit the schema, though neither does alone."""
    pieces = [Reply.text('{"n": 1', stop_reason="max_tokens"), Reply.text("2}")]
    world = await play({"count": pieces})
    handle = await world.start("count", result_schema={"type": "object", "required": ["n"]})
    assert (await world.done(handle))["reason"] == "success"
    completed = (await world.events(handle.id))[-1]
    assert isinstance(completed, SessionCompleted)
    assert completed.result == {"n": 12}
