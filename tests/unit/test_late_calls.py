"""A process that stands still just before it declares that it will act, and goes on when the call is over."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from activities.steps import Learned, ToolStep
from activities.tokens import Tokens
from activities.tools import ToolActivities
from activities.views import Views
from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    SessionCompleted,
    SessionTerminationRequested,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionRequested,
    UserMessageAdded,
)
from eventlog.ids import event_id
from eventlog.log import Entry, Outcome, Recorded
from eventlog.memory import MemoryEventLog
from eventlog.metadata import Metadata
from eventlog.streams import StreamName, stream_of, thread_id
from projections.invariants.catalogue import breaches
from projections.session import milliseconds
from tests.projections.facts import START, asking, replied, said, started, tool_failed, use
from tools.tool import tool
from tools.workbench import Workbench

THREAD = thread_id("still")
STREAM = stream_of(THREAD)
STEP = ToolStep(started_ms=milliseconds(START), step=1, call="a")


@dataclass(slots=True)
class StandsStill(MemoryEventLog):
    """A log whose writer stands still before its first intent, while others write."""

    meanwhile: Sequence[AnyEvent] = ()
    stood: bool = field(default=False, init=False)
    reads: list[int] = field(default_factory=list, init=False)
    """The positions from which on it was read."""

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append; before the first intent, what others write."""
        if isinstance(entry.event, ToolExecutionRequested) and not self.stood:
            self.stood = True
            await happened(self, *self.meanwhile)
        return await MemoryEventLog.append(self, stream, entry, expected_version)

    async def chunks(
        self, stream: StreamName, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[list[Recorded]]:
        """Note that it is read."""
        self.reads.append(start)
        async for chunk in MemoryEventLog.chunks(self, stream, start, end):
            yield chunk


async def happened(log: MemoryEventLog, *events: AnyEvent) -> None:
    """Others write; an outcome under the one id that it has, whoever writes it."""
    for event in events:
        outcome = f"call/1/{event.call_id}/outcome" if isinstance(event, ToolExecutionFailed) else None
        id_ = event_id(THREAD, STEP.started_ms, outcome) if outcome else uuid4()
        await MemoryEventLog.append(log, STREAM, Entry(id_, event, Metadata(at=START)))


async def attempt(log: StandsStill, workspace: Path, fired: list[str]) -> Learned:
    """Attempt the call of a tool that must not run twice."""

    @tool
    def fire(word: str) -> str:
        """Fire."""
        fired.append(word)
        return "fired"

    toolbox = Workbench([fire], workspace)
    call = replied(use("a", "fire", word="it"), use("b", "fire", word="too"), at=1)
    terms = started().model_copy(update={"tools": toolbox.terms(None), "thread_id": THREAD})
    await happened(log, terms, said("go"), asking(1, 1), call)
    tools, environment = ToolActivities(log, Views(log), toolbox, workspace, Tokens()), ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=THREAD)
    learned: Learned = await environment.run(tools.run_tool, STEP)
    return learned


@pytest.mark.parametrize(
    "meanwhile",
    [
        (tool_failed("a", kind="crashed"),),
        (SessionTerminationRequested(by="ana"),),
        (SessionTerminationRequested(by="ana"), SessionCompleted(completion_reason="terminated", summary="over")),
        (BudgetExceeded(limit="runtime", allowed=1, used=2),),
    ],
    ids=["given up", "terminated", "ended", "out of time"],
)
async def test_what_is_over_is_not_begun(meanwhile: Sequence[AnyEvent], tmp_path: Path) -> None:
    """Nothing is run, the call has one outcome that says so, and the stream is sound."""
    log, fired = StandsStill(meanwhile=meanwhile), list[str]()
    [mark] = (await attempt(log, tmp_path, fired)).marks
    assert fired == []
    stream = [each async for each in log.read(STREAM)]
    failed = [(each.position, each.event) for each in stream if isinstance(each.event, ToolExecutionFailed)]
    [(position, outcome)] = failed
    given_up = isinstance(meanwhile[0], ToolExecutionFailed)
    assert (position, outcome.kind) == (mark.position, "crashed" if given_up else "too_late")
    assert not list(breaches(stream))


async def test_what_others_wrote_about_other_things_holds_no_call_up(tmp_path: Path) -> None:
    """A message and an intent of a parallel call are no reason not to begin."""
    meanwhile = (UserMessageAdded(message="hurry", sender="ana"), tool_failed("b"))
    log, fired = StandsStill(meanwhile=meanwhile), list[str]()
    [mark] = (await attempt(log, tmp_path, fired)).marks
    assert (isinstance(mark.event, ToolExecutionCompleted), fired) == (True, ["it"])


async def test_where_nothing_came_between_nothing_more_is_read(tmp_path: Path) -> None:
    """The usual call costs one look."""
    log, fired = StandsStill(), list[str]()
    await attempt(log, tmp_path, fired)
    assert (log.reads, fired) == ([0], ["it"])
