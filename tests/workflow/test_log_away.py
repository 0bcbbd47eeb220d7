"""A log that is away for longer than an activity is tried."""

from collections.abc import AsyncIterator, Sequence

import pytest
from temporalio import activity

from eventlog.events import ToolExecutionCompleted
from eventlog.log import LogUnavailable, Recorded
from eventlog.streams import StreamName
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tools.tool import tool
from workflows.options import CRASHES

ATTEMPTS = 1


@tool(effect="read_only", quick=True, attempts=ATTEMPTS)
def nod() -> str:
    """Agree."""
    return "yes"


async def test_nothing_is_given_up_because_the_log_is_away(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose every attempt failed for want of the log is begun anew, and the model never hears of it."""
    world = await play({"go": [Reply.tools(("nod", {}, "call_1")), Reply.text("done")]}, [nod])
    chunks, refused = world.log.chunks, list[StreamName]()

    def away(stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Sequence[Recorded]]:
        in_tool = activity.in_activity() and activity.info().activity_type == "run_tool"
        if in_tool and len(refused) <= ATTEMPTS + CRASHES:
            refused.append(stream)
            raise LogUnavailable("the log is away")
        return chunks(stream, start, end)

    monkeypatch.setattr(world.log, "chunks", away)
    handle = await world.start("go")
    assert (await world.done(handle))["status"] == "completed"
    events = await world.events(handle.id)
    assert [event.call_id for event in events if isinstance(event, ToolExecutionCompleted)] == ["call_1"]
    assert "ToolExecutionFailed" not in [event.type for event in events]
    assert len(refused) == ATTEMPTS + CRASHES + 1
