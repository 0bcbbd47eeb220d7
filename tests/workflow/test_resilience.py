"""Limits, circuits, stand-ins and circles, from end to end: what threads do, and what their streams tell of it."""

import asyncio
from itertools import groupby
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from eventlog.events import (
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    LoopDetected,
    ModelChanged,
    SessionCompleted,
    ToolExecutionRequested,
)
from eventlog.postgres import PostgresEventLog
from llm.messages import JsonObject
from projections.fold import fold
from projections.invariants.catalogue import breaches
from projections.transcript import TRANSCRIPT, render
from resilience.postgres import PostgresStore
from stack.scripted.answers import Answer, Fault, Mind, Reply
from tests.workflow.conftest import Play
from tests.workflow.hands import look
from tests.workflow.world import PATIENCE, World

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5"
ILL = Fault(529, retry_after=0.01)
QUICK = "circuits: {failures: 2, open: 0.1, longest: 0.3}"
LONG = "circuits: {failures: 2, open: 3000, longest: 3000}"
PATIENT = "circuits: {failures: 1000, open: 3000, longest: 3000}"


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    """A file of limits, to be written."""
    return tmp_path / "limits.yaml"


def written(file: Path, text: str) -> Path:
    """The file, with this text."""
    file.write_text(text, encoding="utf-8")
    return file


def only(model: str, answer: Answer, otherwise: Answer = ILL) -> Mind:
    """A provider of which one model alone is well."""

    def mind(body: JsonObject) -> Answer:
        return answer if body["model"] == model else otherwise

    return mind


def store_of(world: World) -> PostgresStore:
    """What the world's worker shares with others."""
    assert isinstance(world.log, PostgresEventLog)
    return PostgresStore(world.log.statements)


def asked(world: World) -> list[str]:
    """Which models were asked, in order."""
    return [str(request.json["model"]) for request in world.model.requests]


async def resting(handle: WorkflowHandle[object, object]) -> str:
    """What the thread waits for, as soon as it waits."""
    async with asyncio.timeout(PATIENCE):
        while True:
            history = await handle.fetch_history()
            timers = [event.timer_started_event_attributes for event in history.events if event.event_type == 17]
            if timers:
                [summary] = {
                    event.user_metadata.summary.data.decode() for event in history.events if event.event_type == 17
                }
                return summary
            await asyncio.sleep(0.05)


async def shown_again(world: World, thread: str) -> list[object]:
    """What the log says each call of the world's one thread was shown."""
    recorded = await world.recorded(thread)
    calls = [each.event for each in recorded if isinstance(each.event, LLMCallRequested)]
    requests = [render(fold(TRANSCRIPT, recorded[: call.at + 1]), ()) for call in calls]
    return [(each.terms.name, [message.json for message in each.messages]) for each in requests]


def shown(world: World) -> list[object]:
    """What each different call was shown, but for the marks of the provider's cache."""

    def plain(message: JsonObject) -> JsonObject:
        blocks = [
            {key: value for key, value in block.items() if key != "cache_control"} for block in message["content"]
        ]
        return {"role": message["role"], "content": blocks}

    bodies = [request.json for request in world.model.requests]
    found = [(body["model"], [plain(message) for message in body["messages"]]) for body in bodies]
    return [each for each, _ in groupby(found)]  # a request that is made again is told of once


async def test_a_model_that_is_ill_is_left_alone_by_all_threads(play: Play, terms: Path) -> None:
    """Where a circuit is open, no thread asks: it waits, at no worker's cost, and spends none of its attempts."""
    world = await play(
        {"one": [[ILL, ILL, Reply.text("well")]], "two": [Reply.text("fine")]}, rate_limits=written(terms, LONG)
    )
    one = await world.start("one")
    assert "scripted/scripted-1" in await resting(one)
    two = await world.start("two")
    assert "scripted/scripted-1" in await resting(two)
    assert len(asked(world)) == 2
    assert not any(isinstance(event, LLMCallRequested) for event in await world.events(two.id))
    [change] = await store_of(world).changes(10)
    assert (change.after, change.why) == ("open", "overloaded: HTTP 529 (overloaded_error): Overloaded")
    for handle in (one, two):
        await handle.signal("terminate", {})
        assert (await world.done(handle))["status"] == "terminated"


async def test_a_probe_brings_them_all_back(play: Play, terms: Path) -> None:
    """One asks when the time is over; when it is answered, everybody goes on."""
    world = await play(
        {"one": [[ILL, ILL, ILL, Reply.text("well")]], "two": [Reply.text("fine")]}, rate_limits=written(terms, QUICK)
    )
    handles = [await world.start("one")]
    await world.until(handles[0].id, lambda session: session.failures == 2)
    handles.append(await world.start("two"))
    for handle in handles:
        assert (await world.done(handle))["status"] == "completed"
    changes = [(change.before, change.after) for change in reversed(await store_of(world).changes(50))]
    assert changes[:2] == [("closed", "open"), ("open", "half_open")]
    assert ("half_open", "closed") in changes


async def test_a_request_that_is_made_again_is_the_same_one(play: Play, terms: Path) -> None:
    """Where nothing that it shows has changed meanwhile, the reply tells the position that was declared."""
    well: list[bool] = []

    def mind(body: JsonObject) -> Answer:  # noqa: ARG001
        return Reply.text("well") if well else ILL

    world = await play({"go": [[mind] * 12]}, rate_limits=written(terms, QUICK))
    handle = await world.start("go")
    await world.until(handle.id, lambda session: session.failures == 2)
    await handle.execute_update("pause", {"by": "ana"})
    await handle.execute_update("resume", {"by": "ana"})
    well.append(True)
    assert (await world.done(handle))["status"] == "completed"
    recorded = await world.recorded(handle.id)
    [declared] = [each.event for each in recorded if isinstance(each.event, LLMCallRequested)]
    [reply] = [each.event for each in recorded if isinstance(each.event, LLMResponseReceived)]
    assert reply.at == declared.at
    assert list(breaches(recorded)) == []


async def test_another_model_stands_in(play: Play, terms: Path) -> None:
    """While the first is away the next is asked, by other threads without trying the first; the log tells it."""
    world = await play({"go": [only(SONNET, Reply.text("done"))]}, rate_limits=written(terms, LONG))
    model = {"model": {"name": OPUS}, "fallback_models": [HAIKU, SONNET]}
    first = await world.start("go", **model)
    assert (await world.done(first))["status"] == "completed"
    assert asked(world) == [OPUS, OPUS, HAIKU, HAIKU, SONNET]
    events = await world.events(first.id)
    changes = [event for event in events if isinstance(event, ModelChanged)]
    assert [(event.previous, event.model.name, event.stand_in) for event in changes] == [
        (OPUS, HAIKU, True),
        (HAIKU, SONNET, True),
    ]
    assert changes[0].reason == f"scripted/{OPUS} is away"
    assert [event.model.name for event in events if isinstance(event, LLMCallRequested)][-1] == SONNET
    second = await world.start("go", **model)
    await world.done(second)
    assert asked(world)[5:] == [SONNET]


async def test_the_first_model_is_taken_again(play: Play, terms: Path) -> None:
    """As soon as its circuit is closed, at the next call: it is the one that was wanted."""
    well = [SONNET]

    def mind(body: JsonObject) -> Answer:
        return Reply.text("here") if body["model"] in well else ILL

    world = await play({"go": [mind] * 100}, rate_limits=written(terms, LONG), fallback_models=(SONNET,))
    handle = await world.start("go", mode="chat", model={"name": OPUS})
    await world.until(handle.id, lambda session: session.turns == 1)
    well.append(OPUS)
    assert await store_of(world).reset(None, "ana") == [f"scripted/{OPUS}"]
    for turn in range(2, 100):  # a worker may go by what it saw a second ago
        await handle.signal("message", "still there?")
        await world.until(handle.id, lambda session, turn=turn: session.turns == turn)  # type: ignore[misc]
        if asked(world)[-1] == OPUS:
            break
    changes = [event for event in await world.events(handle.id) if isinstance(event, ModelChanged)]
    assert [(event.model.name, event.stand_in) for event in changes] == [(SONNET, True), (OPUS, False)]
    await handle.signal("terminate", {})
    await world.done(handle)


async def test_a_model_that_used_up_its_attempts_is_replaced(
    play: Play, terms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else has opened its circuit, that does; the step goes on with the next model's own attempts."""
    monkeypatch.setattr("activities.model.ATTEMPTS", 3)
    world = await play({"go": [only(SONNET, Reply.text("done"))]}, rate_limits=written(terms, PATIENT))
    handle = await world.start("go", model={"name": OPUS}, fallback_models=[SONNET])
    assert (await world.done(handle))["status"] == "completed"
    assert asked(world) == [OPUS] * 3 + [SONNET]
    events = await world.events(handle.id)
    assert [event.will_retry for event in events if isinstance(event, LLMCallFailed)] == [True] * 3
    [circuit] = await store_of(world).troubled()
    assert (circuit.name, circuit.state) == (f"scripted/{OPUS}", "open")


async def test_no_model_is_shown_the_thoughts_of_another(play: Play, terms: Path) -> None:
    """They are signed, and another would refuse them; what was said and called stands."""
    thinking = Reply.tools(("look", {"word": "a"}, "call_0"), thinking="hm", text="I look.")
    world = await play(
        {"go": [only(OPUS, thinking), only(HAIKU, Reply.text("done"))]}, [look], rate_limits=written(terms, LONG)
    )
    model = {"name": OPUS, "max_tokens": 4096, "thinking_tokens": 1024}
    handle = await world.start("go", model=model, fallback_models=[HAIKU])
    assert (await world.done(handle))["status"] == "completed"
    before, after = world.model.requests[1].json, world.model.requests[-1].json
    assert [block["type"] for block in before["messages"][1]["content"]] == ["thinking", "text", "tool_use"]
    assert [block["type"] for block in after["messages"][1]["content"]] == ["text", "tool_use"]
    assert "thinking" not in after, "a model that must think first could not go on"
    assert await shown_again(world, handle.id) == shown(world)


async def test_a_policy_says_which_models_may_stand_in(play: Play, tmp_path: Path) -> None:
    """One that a thread asks for and may not have is refused; one of the settings is left out."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "opus.yaml").write_text("allowed_models: [claude-opus-*, claude-sonnet-*]", encoding="utf-8")
    world = await play(
        {"go": [Reply.text("done")]}, policies=folder, policy=("opus",), fallback_models=(HAIKU, SONNET, OPUS)
    )
    handle = await world.start("go", model={"name": OPUS})
    await world.done(handle)
    assert (await world.events(handle.id))[0].fallback_models == (SONNET,)  # type: ignore[union-attr]
    refused = await world.start("go", model={"name": OPUS}, fallback_models=[HAIKU])
    world.handles.remove(refused)
    with pytest.raises(WorkflowFailureError):
        await world.done(refused)


async def test_what_a_provider_asks_of_one_thread_holds_for_all(play: Play) -> None:
    """A 429 that says how long is heard by every thread of the model, not only by the one that met it."""
    world = await play({"one": [Fault(429, retry_after=500)], "two": [Reply.text("fine")]})
    one = await world.start("one")
    await world.until(one.id, lambda session: session.failures == 1)
    two = await world.start("two")
    assert "scripted/scripted-1" in await resting(two)
    assert len(asked(world)) == 1
    for handle in (one, two):
        await handle.signal("terminate", {})
        await world.done(handle)


async def test_a_thread_that_waits_hears_what_is_to_take_effect_at_once(play: Play, terms: Path) -> None:
    """Its wait is dropped; what it would have asked, it asks with the message in view."""
    answers = [[ILL, ILL, Reply.text("well")], *[Reply.text("quick")] * 60]
    world = await play({"go": answers}, rate_limits=written(terms, LONG))
    handle = await world.start("go")
    await resting(handle)
    await store_of(world).reset(None, "ana")
    for _ in range(50):  # a worker may go by what it saw a second ago
        await handle.signal("steer", "be quick")
        await asyncio.sleep(0.2)
        if len(asked(world)) > 2:
            break
    assert (await world.done(handle))["status"] == "completed"
    assert "be quick" in str(world.model.requests[-1].json["messages"])


async def test_a_limit_on_a_tool_holds_its_calls_back(play: Play, terms: Path) -> None:
    """What is over the limit waits in the process, not in a worker; nothing of it is begun, and it can be ended."""
    limits = "limits: [{id: looks, tools: look, per_hour: 1}]"
    calls = [("look", {"word": "a"}), ("look", {"word": "b"})]
    world = await play({"go": [Reply.tools(*calls)]}, [look], rate_limits=written(terms, limits))
    handle = await world.start("go")
    assert await resting(handle) == '"waits for looks"'
    assert sum(isinstance(event, ToolExecutionRequested) for event in await world.events(handle.id)) == 1
    await handle.signal("terminate", {})
    assert (await world.done(handle))["status"] == "terminated"


async def test_short_waits_are_made_in_place(play: Play, terms: Path) -> None:
    """Many calls at once go through one after the other, each within its one activity."""
    limits = """
limits:
  - {id: looks, tools: look, each: [thread, tool], per_second: 20}
  - {id: asks, models: "*", each: tenant, per_second: 20}
  - {id: tokens, models: "*", tokens_per_minute: 100000000}
"""
    calls = [("look", {"word": str(number)}) for number in range(5)]
    world = await play({"go": [Reply.tools(*calls), Reply.text("done")]}, [look], rate_limits=written(terms, limits))
    handle = await world.start("go")
    assert (await world.done(handle))["status"] == "completed"
    assert 17 not in [event.event_type for event in (await handle.fetch_history()).events], "no timer"


AGAIN = Reply.tools(("look", {"word": "a"}))
OTHER = Reply.tools(("look", {"word": "b"}))


async def test_an_agent_that_goes_round_in_circles_is_told_then_stopped_then_ended(play: Play) -> None:
    """First it reads it; then a person decides; then it is over, and the stream says why."""
    world = await play({"go": [AGAIN] * 9}, [look], loops=(2, 3, 4))
    handle = await world.start("go")
    await world.until(handle.id, lambda session: session.status == "paused")
    assert len(asked(world)) == 3
    told = world.model.requests[2].json["messages"][-1]["content"]
    assert [block["type"] for block in told] == ["tool_result", "text"]
    assert "the same calls 2 times" in told[1]["text"]
    await handle.signal("resume", {"by": "ana"})
    assert (await world.done(handle))["status"] == "failed"
    events = await world.events(handle.id)
    assert [(e.stage, e.period, e.times) for e in events if isinstance(e, LoopDetected)] == [
        ("told", 1, 2),
        ("asked", 1, 3),
        ("ended", 1, 4),
    ]
    end = events[-1]
    assert isinstance(end, SessionCompleted)
    assert end.summary == "the same calls brought the same results 4 times"
    assert await shown_again(world, handle.id) == shown(world)


async def test_an_agent_that_takes_turns_goes_round_too(play: Play) -> None:
    """A, B, A, B is a circle of two; what a person says begins anew."""
    world = await play({"go": [AGAIN, OTHER] * 3 + [Reply.text("done")]}, [look], loops=(2, 0, 0))
    handle = await world.start("go")
    assert (await world.done(handle))["status"] == "completed"
    events = await world.events(handle.id)
    assert [(e.stage, e.period, e.times) for e in events if isinstance(e, LoopDetected)] == [
        ("told", 2, 2),
        ("told", 2, 3),
    ]


async def test_without_loops_nothing_is_looked_for(play: Play) -> None:
    """Whoever turns it off has agents that may repeat themselves as often as their limits let them."""
    world = await play({"go": [AGAIN] * 8 + [Reply.text("done")]}, [look], loops=())
    handle = await world.start("go")
    assert (await world.done(handle))["status"] == "completed"
