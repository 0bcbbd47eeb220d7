"""PostgreSQL or Temporal dies in the middle of everything, and comes back with its data."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from eventlog.events import ToolExecutionCompleted, ToolExecutionOutcomeUnknown
from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.invariants import Story, told
from tests.acceptance.servers import Servers, kill
from tests.acceptance.stage import Handle, Stage, staged
from tests.acceptance.worker_process import WorkerProcess
from workflows.options import HEARTBEAT

PLAYS: dict[str, Sequence[Step]] = {
    "think": [Reply.text("word " * 30).at_pace(0.1, chunk=5)],
    "fire": [Reply.tools(("fire", {"hold": "before"}, "fire-1")), Reply.text("done")],
    "look": [Reply.tools(("look", {"hold": "before"}, "look-1")), Reply.text("done")],
    "launch": [Reply.tools(("launch", {}, "launch-1")), Reply.text("done")],
}
APPROVAL = '{"call_id": "launch-1", "approver": "ana"}'


class Plot:
    """Four threads, each in the middle of something."""

    def __init__(self, stage: Stage, worker: WorkerProcess) -> None:
        self.stage = stage
        self.worker = worker
        self.handles: dict[str, Handle] = {}

    async def play(self) -> None:
        """Bring every thread into the middle of something."""
        stage = self.stage
        self.handles = {opening: await stage.start(opening) for opening in PLAYS}
        await stage.until(self.handles["launch"].id, lambda session: session.status == "waiting")
        await stage.until_asked("think")
        for call in ("fire", "look"):
            await stage.until_written("began", self.handles[call].id, f"{call}-1")

    async def approve(self) -> None:
        """Allow what waits, by hand."""
        words = ("--workflow-id", self.handles["launch"].id, "--name", "approve", "--input", APPROVAL)
        await self.stage.cli.workflow("signal", *words)

    async def let_go(self) -> None:
        """Let the held tools act, and wait until they have."""
        for call in ("fire", "look"):
            self.stage.gates.open(f"{call}-1")
        for call in ("fire", "look"):
            await self.stage.until_written("acted", self.handles[call].id, f"{call}-1")

    async def stories(self) -> dict[str, Story]:
        """What every thread came to."""
        return {opening: await told(self.stage, handle) for opening, handle in self.handles.items()}


@pytest.fixture
async def plot(servers: Servers, tmp_path: Path) -> AsyncIterator[Plot]:
    """Four threads, each in the middle of something, on one worker."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        plot = Plot(stage, await stage.hire())
        await plot.play()
        yield plot


async def test_what_a_tool_did_while_the_database_was_away_is_written_when_it_is_back(plot: Plot) -> None:
    """Nobody died who knew the outcomes, so that none is unknown, and nothing is run or asked twice."""
    kill(plot.stage.servers.postgres)
    await plot.let_go()
    await plot.approve()
    await plot.stage.until_logged(plot.worker, '"event": "log_away"')
    await plot.stage.servers.start()
    stories = await plot.stories()
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}
    assert isinstance(stories["fire"].outcome_of("fire-1"), ToolExecutionCompleted)
    assert [len(stories[name].began) for name in ("fire", "look", "launch")] == [1, 1, 1]
    assert len(stories["think"].requests) == 1


async def test_what_was_done_while_temporal_was_away_is_not_done_again(plot: Plot) -> None:
    """Outcomes go into the log all the same; Temporal learns of them when it is back."""
    kill(plot.stage.servers.temporal)
    await plot.let_go()
    for name in ("fire", "look"):
        await plot.stage.until(plot.handles[name].id, lambda session: not session.pending)
    await plot.stage.servers.start()
    await plot.approve()
    stories = await plot.stories()
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}
    assert isinstance(stories["fire"].outcome_of("fire-1"), ToolExecutionCompleted)
    assert [len(stories[name].began) for name in ("fire", "look", "launch")] == [1, 1, 1]


async def test_an_outage_that_is_longer_than_a_heartbeat_takes_no_result_away(plot: Plot) -> None:
    """Temporal comes back and counts its calls as dead: they go on, are not made again, and none is unknown."""
    kill(plot.stage.servers.temporal)
    await asyncio.sleep(HEARTBEAT.total_seconds())
    await plot.stage.servers.start()
    await plot.stage.until_logged(plot.worker, '"event": "goes_on_unseen"')
    await plot.let_go()
    await plot.approve()
    stories = await plot.stories()
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}
    assert isinstance(stories["fire"].outcome_of("fire-1"), ToolExecutionCompleted)
    assert [len(stories[name].began) for name in ("fire", "look", "launch")] == [1, 1, 1]
    assert len(stories["think"].requests) == 1


async def test_everything_dies_at_once(plot: Plot) -> None:
    """Worker, database and Temporal: all threads go on from what was written."""
    kill(plot.stage.servers.postgres, plot.stage.servers.temporal)
    await plot.worker.kill()
    await plot.stage.servers.start()
    await plot.stage.hire()
    plot.stage.gates.open("look-1")
    await plot.approve()
    stories = await plot.stories()
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}
    assert isinstance(stories["fire"].outcome_of("fire-1"), ToolExecutionOutcomeUnknown)
    assert stories["fire"].acted == []
    assert isinstance(stories["look"].outcome_of("look-1"), ToolExecutionCompleted)
