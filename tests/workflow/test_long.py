"""Long sessions: continued as new long before Temporal's limits, and reset without harm."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from eventlog.events import UserMessageAdded
from projections.session import Session
from stack.ports import free_port
from stack.scripted.answers import Reply
from stack.temporal import DYNAMIC_CONFIG, TemporalServer
from tests.conftest import Database
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.world import world

SHORT = {"limit.historyCount.suggestContinueAsNew": 40}


@pytest.fixture(scope="module")
async def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Temporal server that suggests to continue as new after 40 events."""
    folder = tmp_path_factory.mktemp("temporal")
    server = TemporalServer(
        None,
        port=free_port(),
        ui_port=None,
        record=folder / "pid",
        log=folder / "log",
        dynamic_config={**DYNAMIC_CONFIG, **SHORT},
    )
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()


async def test_a_long_session_goes_on_in_new_runs(impatient_server: str, database: Database, tmp_path: Path) -> None:
    """Twelve turns with tools, a question on the way, several runs: one stream without a gap or a double."""
    turns = [Reply.tools(("look", {"word": str(n)}, f"call_{n}")) for n in range(12)]
    script = [*turns, Reply.tools(("launch", {"word": "x"}, "call_x")), Reply.text("done")]
    async with world(impatient_server, database.url, tmp_path, {"go": script}, [look, launch]) as here:
        handle = await here.start("go")
        await here.until(handle.id, lambda session: session.status == "waiting")
        await handle.signal("approve", {"call_id": "call_x"})
        assert (await here.done(handle))["status"] == "completed"
        runs = [each.run_id async for each in here.client.list_workflows(f'WorkflowId="{handle.id}"')]
        recorded = await here.recorded(handle.id)
    assert len(runs) > 2
    assert [each.position for each in recorded] == list(range(len(recorded)))
    types = [each.event.type for each in recorded]
    assert types.count("SessionStarted") == 1
    assert types.count("ToolExecutionCompleted") == 13
    assert types.count("LLMCallRequested") == types.count("LLMResponseReceived") == 14


async def test_many_messages_while_a_question_waits_are_not_lost(
    impatient_server: str, database: Database, tmp_path: Path
) -> None:
    """The run is renewed while it waits, and every message is in the log once and in order."""
    script = [Reply.tools(("launch", {"word": "x"}, "call_x")), Reply.text("read them all")]
    async with world(impatient_server, database.url, tmp_path, {"go": script}, [launch]) as here:
        handle = await here.start("go")
        await here.until(handle.id, lambda session: session.status == "waiting")
        for number in range(30):
            await handle.signal("message", f"number {number}")
        await here.until(handle.id, lambda session: session.messages == 31)
        await handle.signal("approve", {"call_id": "call_x"})
        assert (await here.done(handle))["status"] == "completed"
        said = [e.message for e in await here.events(handle.id) if isinstance(e, UserMessageAdded)]
    assert said == ["go", *(f"number {number}" for number in range(30))]


async def test_a_session_is_steered_through_new_runs(impatient_server: str, database: Database, tmp_path: Path) -> None:
    """Breakpoints, single steps and interruptions outlive the run they came in: each point stops it once."""
    script = [*(Reply.tools(("look", {"word": str(n)}, f"call_{n}")) for n in range(6)), Reply.text("done")]
    async with world(impatient_server, database.url, tmp_path, {"go": script}, [look]) as here:
        handle = await here.start("go", breakpoints=[{"when": "before"}])
        for step in range(1, 8):
            await here.until(handle.id, stopped_at(f"before model call {step} (breakpoint before:step)"))
            await handle.signal("interrupt")
            await handle.signal("step")
            await here.until(handle.id, stopped_at(f"after one step: model call {step}"))
            await handle.signal("resume")
        assert (await here.done(handle))["status"] == "completed"
        runs = [each.run_id async for each in here.client.list_workflows(f'WorkflowId="{handle.id}"')]
        types = await here.types(handle.id)
    assert len(runs) > 2
    assert (types.count("BreakpointReached"), types.count("SessionInterrupted")) == (14, 7)


def stopped_at(stop: str) -> Callable[[Session], bool]:
    """Whether a session is stopped there."""
    return lambda session: session.stopped_at == stop


def at_rest(session: Session) -> bool:
    """Whether nothing is under way."""
    return session.status == "waiting"


async def test_a_reset_finds_its_outcomes_in_the_log(play: Play) -> None:
    """Nothing is asked, run or said twice: the stream is what it was, and the thread goes on."""
    world = await play(
        {"go": [Reply.tools(("look", {"word": "a"})), Reply.text("one"), Reply.text("two")]},
        [look],
    )
    handle = await world.start("go", mode="chat")
    await world.until(handle.id, lambda session: at_rest(session) and session.turns == 2)
    before = await world.types(handle.id)
    requests = len(world.model.requests)
    history = await handle.fetch_history()
    first = next(e.event_id for e in history.events if e.HasField("workflow_task_completed_event_attributes"))
    reset = ResetWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=handle.id),
        reason="test",
        workflow_task_finish_event_id=first,
        request_id=handle.id,
    )
    await world.client.workflow_service.reset_workflow_execution(reset)
    again = world.client.get_workflow_handle(handle.id)
    await again.execute_update("message", {"message": "and now?"})
    await world.until(handle.id, lambda session: at_rest(session) and session.turns == 3)
    after = await world.types(handle.id)
    assert after[: len(before)] == before
    assert after[len(before) :] == ["UserMessageAdded", "LLMCallRequested", "LLMResponseReceived"]
    assert len(world.model.requests) == requests + 1
