"""Limits: reaching one is an event and a clean end."""

import pytest

from eventlog.events import BudgetExceeded, ToolExecutionFailed
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tests.workflow.hands import hang, launch, look

TWO = (("look", {"word": "a"}), ("look", {"word": "b"}))


@pytest.mark.parametrize(
    ("limit", "value", "turns"),
    [
        ("turns", 2, 2),
        ("tool_calls", 3, 2),
        ("tokens", 10, 1),
    ],
)
async def test_a_loop_ends_at_its_limit(play: Play, limit: str, value: int, turns: int) -> None:
    """An agent that calls tools for ever is stopped by each of the limits."""
    world = await play({"loop": [Reply.tools(*TWO)] * 9}, [look])
    handle = await world.start("loop", limits={limit: value})
    outcome = await world.done(handle)
    assert (outcome["status"], outcome["reason"]) == ("failed", "limit")
    events = await world.events(handle.id)
    [exceeded] = [e for e in events if isinstance(e, BudgetExceeded)]
    assert exceeded.limit == limit
    assert len(world.model.requests) == turns
    assert events[-1].type == "SessionCompleted"


async def test_running_time_is_limited_in_the_middle_of_a_tool(play: Play) -> None:
    """A tool that hangs is stopped when the session's time is over."""
    world = await play({"wait": [Reply.tools(("hang", {"word": "x"}))]}, [hang])
    handle = await world.start("wait", limits={"runtime": 1.0})
    assert (await world.done(handle))["reason"] == "limit"
    assert not (await world.session(handle.id)).pending


async def test_every_call_has_its_outcome_at_a_limit(play: Play) -> None:
    """Where somebody refuses more, what was not begun is told of like everything else that is stopped."""
    calls = (("look", {"word": "a"}, "call_1"), ("launch", {"word": "b"}, "call_2"))
    world = await play({"go": [Reply.tools(*calls)]}, [look, launch])
    handle = await world.start("go", limits={"tool_calls": 1, "at_limit": "ask"})
    await world.until(handle.id, lambda session: session.budget is not None)
    await handle.execute_update("raise", {"refuse": True, "by": "ana"})
    assert (await world.done(handle))["reason"] == "limit"
    failed = [e for e in await world.events(handle.id) if isinstance(e, ToolExecutionFailed)]
    stopped = "it was stopped: the session came to its limit"
    assert [(e.call_id, e.kind, e.error_message) for e in failed] == [
        ("call_1", "limit", stopped),
        ("call_2", "limit", stopped),
    ]
