"""A worker that is told to stop."""

from pathlib import Path

import pytest

from eventlog.events import ToolExecutionCompleted
from stack.scripted.answers import Reply
from tests.acceptance.invariants import told
from tests.acceptance.servers import Servers, kill
from tests.acceptance.stage import Stage, staged

PLAYS = {
    "fire": [Reply.tools(("fire", {"hold": "before"}, "fire-1")), Reply.text("done")],
    "think": [Reply.text("word " * 20).at_pace(0.1, chunk=5)],
}


async def test_what_runs_is_finished_before_the_worker_ends(servers: Servers, tmp_path: Path) -> None:
    """No attempt is lost, and the exit code is 0; what comes next is done by the next worker."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        worker = await stage.hire()
        fire, think = await stage.start("fire"), await stage.start("think")
        await stage.until_written("began", fire.id, "fire-1")
        await stage.until_asked("think")
        worker.terminate()
        await stage.until_logged(worker, "worker_stopping")
        stage.gates.open("fire-1")
        assert await worker.ended() == 0
        assert "ToolExecutionCompleted" in await _types(stage, fire.id)
        assert "LLMResponseReceived" in await _types(stage, think.id)
        await stage.hire()
        fired, thought = await told(stage, fire), await told(stage, think)
    assert isinstance(fired.outcome_of("fire-1"), ToolExecutionCompleted)
    assert len(fired.began) == 1
    assert len(thought.requests) == 1
    attempts = [each.metadata.attempt for story in (fired, thought) for each in story.recorded]
    assert set(attempts) == {1}


@pytest.mark.parametrize("missing", ["postgres", "temporal"])
async def test_a_worker_can_be_stopped_while_a_server_is_away(servers: Servers, tmp_path: Path, missing: str) -> None:
    """It ends by itself, with exit code 0, whatever it cannot reach."""
    async with staged(servers, tmp_path, {}) as stage:
        worker = await stage.hire()
        kill(servers.postgres if missing == "postgres" else servers.temporal)
        worker.terminate()
        assert await worker.ended() == 0


async def _types(stage: Stage, thread: str) -> list[str]:
    return [each.event.type for each in await stage.recorded(thread)]
