"""A worker dies, or is taken for dead, in the middle of everything it can be in the middle of; another takes over."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from eventlog.events import (
    ApprovalGranted,
    HumanInputProvided,
    RequestIgnored,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)
from stack.scripted.answers import Broken, Reply, ToolUse
from stack.scripted.playbook import Step
from tests.acceptance.invariants import Story, told
from tests.acceptance.ledger import What
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Handle, Stage, staged
from tests.acceptance.worker_process import WorkerProcess

SLOWLY = Reply.text("word " * 100).at_pace(0.1, chunk=5)


def calling(*calls: ToolUse) -> Sequence[Step]:
    """A conversation with one round of tool calls."""
    return [Reply.tools(*calls), Reply.text("done")]


PLAYS: dict[str, Sequence[Step]] = {
    "think": [[SLOWLY, Reply.text("thought")]],
    "stutter": [[Broken(30, SLOWLY), Reply.text("thought")]],
    "look": calling(("look", {"hold": "before"}, "look-1")),
    "put": calling(("put", {"hold": "after"}, "put-1")),
    "fire-early": calling(("fire", {"hold": "before"}, "early-1")),
    "fire-late": calling(("fire", {"hold": "after"}, "late-1")),
    "book-early": calling(("book", {"hold": "before"}, "booked-not")),
    "book-late": calling(("book", {"hold": "after"}, "booked")),
    "launch": calling(("launch", {}, "launch-1")),
    "ask": calling(("ask_human", {"question": "Which?", "kind": "choose", "options": ["red", "blue"]}, "ask-1")),
    "many": calling(
        ("look", {"hold": "after"}, "many-look"),
        ("fire", {"hold": "no"}, "many-done"),
        ("fire", {"hold": "after"}, "many-fire"),
        ("launch", {}, "many-launch"),
    ),
}

HELD: Mapping[str, tuple[What, str]] = {
    "look": ("began", "look-1"),
    "put": ("acted", "put-1"),
    "fire-early": ("began", "early-1"),
    "fire-late": ("acted", "late-1"),
    "book-early": ("began", "booked-not"),
    "book-late": ("acted", "booked"),
}
"""How far each of these threads comes before its worker does."""


class Plot:
    """The same story for every way in which a worker can be lost."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.handles: dict[str, Handle] = {}

    async def play(self) -> None:
        """Bring every thread into the middle of something, on one worker."""
        stage = self.stage
        self.handles = {opening: await stage.start(opening) for opening in PLAYS}
        for opening in ("think", "stutter"):
            await stage.until_asked(opening)
        for opening, (what, call) in HELD.items():
            await stage.until_written(what, self.handles[opening].id, call)
        many = self.handles["many"].id
        for call in ("many-look", "many-fire"):
            await stage.until_written("acted", many, call)
        await stage.until(many, lambda session: set(session.pending) == {"many-look", "many-fire", "many-launch"})
        for opening in ("launch", "ask", "many"):
            await stage.until(self.handles[opening].id, lambda session: len(session.waiting_for_answer) == 1)

    async def approve(self) -> None:
        """Allow and answer what waits, by hand, while there is nobody to hear it."""
        for opening, call in (("launch", "launch-1"), ("many", "many-launch")):
            answer = f'{{"call_id": "{call}", "approver": "ana"}}'
            words = ("--workflow-id", self.handles[opening].id, "--name", "approve", "--input", answer)
            await self.stage.cli.workflow("signal", *words)
        for value in ("blue", "red"):
            answer = f'{{"call_id": "ask-1", "value": "{value}", "by": "ana"}}'
            words = ("--workflow-id", self.handles["ask"].id, "--name", "answer", "--input", answer)
            await self.stage.cli.workflow("signal", *words)

    def open_gates(self) -> None:
        """Hold nobody any longer."""
        for call in (*(call for _, call in HELD.values()), "many-look", "many-fire"):
            self.stage.gates.open(call)

    async def ended(self) -> None:
        """Wait until every thread has ended."""
        await asyncio.gather(*(self.stage.done(handle) for handle in self.handles.values()))

    async def stories(self) -> Mapping[str, Story]:
        """What every thread came to."""
        return {opening: await told(self.stage, handle) for opening, handle in self.handles.items()}


async def killed(plot: Plot, worker: WorkerProcess) -> None:
    """The worker ends at once; approvals come while there is none; another takes over."""
    await worker.kill()
    await plot.approve()
    plot.open_gates()
    await plot.stage.hire()
    await plot.ended()


async def frozen(plot: Plot, worker: WorkerProcess) -> None:
    """The worker is silent until another has done its work, and then goes on where it stood."""
    worker.freeze()
    await plot.approve()
    await plot.stage.hire()
    plot.open_gates()
    await plot.ended()
    worker.thaw()
    worker.terminate()
    assert await worker.ended() == 0


@pytest.fixture(scope="module", params=[killed, frozen], ids=["killed", "frozen"])
async def stories(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, Story]]:
    """What every thread came to, after everything that must hold of all of them was found to hold."""
    async with staged(servers, tmp_path_factory.mktemp("stage"), PLAYS) as stage:
        plot, worker = Plot(stage), await stage.hire()
        await plot.play()
        await request.param(plot, worker)
        yield await plot.stories()


def test_every_thread_ends_as_if_nothing_had_been(stories: Mapping[str, Story]) -> None:
    """Each is a success, whatever its tools came to."""
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}


def test_a_streaming_reply_is_asked_for_again(stories: Mapping[str, Story]) -> None:
    """The same request is sent twice under one key, and one reply is in the log."""
    story = stories["think"]
    assert len(story.requests) == 2
    assert story.types.count("LLMCallRequested") == story.types.count("LLMResponseReceived") == 1


@pytest.mark.parametrize(("opening", "call"), [("look", "look-1"), ("put", "put-1"), ("many", "many-look")])
def test_what_may_be_repeated_is_repeated_under_its_key(stories: Mapping[str, Story], opening: str, call: str) -> None:
    """A read-only or idempotent tool runs again, and its result counts."""
    story = stories[opening]
    began = [line for line in story.began if line.call == call]
    assert len(began) == 2
    assert len({line.key for line in began}) == 1
    assert len({line.pid for line in began}) == 2
    assert isinstance(story.outcome_of(call), ToolExecutionCompleted)


@pytest.mark.parametrize(
    ("opening", "call"), [("fire-early", "early-1"), ("fire-late", "late-1"), ("many", "many-fire")]
)
def test_what_must_not_be_repeated_is_not_and_the_model_is_told(
    stories: Mapping[str, Story], opening: str, call: str
) -> None:
    """An unsafe tool's outcome is unknown, before its effect as after it; the next request says so in words."""
    story = stories[opening]
    assert len([line for line in story.began if line.call == call]) == 1
    assert isinstance(story.outcome_of(call), ToolExecutionOutcomeUnknown)
    [result] = [b for b in story.requests[-1].json["messages"][-1]["content"] if b["tool_use_id"] == call]
    assert result["is_error"] is True
    assert "may have happened" in str(result["content"])


def test_what_can_be_looked_up_is_looked_up(stories: Mapping[str, Story]) -> None:
    """An unsafe tool with a `reconcile` is not run again; its result, or that there is none, is found out."""
    done, undone = stories["book-late"].outcome_of("booked"), stories["book-early"].outcome_of("booked-not")
    assert isinstance(done, ToolExecutionCompleted)
    assert done.result[0]["text"] == "it was booked"
    assert isinstance(undone, ToolExecutionFailed)
    assert "it was not booked" in undone.error_message


@pytest.mark.parametrize(("opening", "call"), [("launch", "launch-1"), ("many", "many-launch")])
def test_an_approval_given_while_nobody_works_is_acted_on_once(
    stories: Mapping[str, Story], opening: str, call: str
) -> None:
    """The question survives its worker, and the answer waits for the next one."""
    story = stories[opening]
    [granted] = [event for event in story.events if isinstance(event, ApprovalGranted)]
    assert (granted.call_id, granted.approver) == (call, "ana")
    assert len([line for line in story.acted if line.call == call]) == 1
    assert isinstance(story.outcome_of(call), ToolExecutionCompleted)


def test_an_answer_given_while_nobody_works_is_taken_once(stories: Mapping[str, Story]) -> None:
    """It waits in Temporal, is the outcome of the call that asked, and the second one is ignored."""
    events = stories["ask"].events
    [provided] = [event for event in events if isinstance(event, HumanInputProvided)]
    assert (provided.value, provided.by) == ("blue", "ana")
    assert [event.request for event in events if isinstance(event, RequestIgnored)] == ["answer"]


def test_what_had_ended_before_stays_as_it_was(stories: Mapping[str, Story]) -> None:
    """Of parallel calls, those that were done are not touched again."""
    assert len([line for line in stories["many"].began if line.call == "many-done"]) == 1
    assert isinstance(stories["many"].outcome_of("many-done"), ToolExecutionCompleted)
