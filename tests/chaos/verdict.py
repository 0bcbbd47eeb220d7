"""What came of a thread that was struck: which promises it broke, what it did to the world, how soon it moved again."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from bootstrap import Places, connect_temporal, lay_out_tools, open_model
from cli.verification.requests import Requests
from cli.verification.verifier import Verifier
from eventlog.events import ToolExecutionCompleted, ToolExecutionFailed, ToolExecutionOutcomeUnknown
from eventlog.streams import thread_id
from settings import Settings
from tests.acceptance.invariants import STREAM, Story, broken, heard, unreplayable
from tests.acceptance.stage import Handle, Stage
from tests.chaos.cases import Case
from tests.chaos.scene import Scene
from tests.chaos.situations import situation


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thread, looked over after its end."""

    case: str
    violations: tuple[str, ...]
    effects: int
    """By the ledger."""
    unknowns: int
    moved: tuple[float, ...] = ()
    """Seconds from each blow, or from when all servers were there again, to the thread's next event."""

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations


async def verdicts(scene: Scene) -> list[Verdict]:
    """What came of each thread of a scene."""
    async with verifying(scene.stage) as verifier:
        return [await _verdict(scene, verifier, case) for case in scene.handles]


async def _verdict(scene: Scene, verifier: Verifier, case: Case) -> Verdict:
    handle = scene.handles[case]
    story = await heard(scene.stage, handle)
    ended = case.moment == "terminated"
    violations = [
        *(broken(story, STREAM) if ended else broken(story)),
        *(_terminated(story, case) if ended else _right(story, case)),
        *await unreplayable(handle),
        *await situation(case).wrong_besides(scene.stage, story),
        *await findings(verifier, handle),
    ]
    return of(str(case), story, violations, [scene.since(case)])


def of(case: str, story: Story, violations: list[str], since: list[datetime]) -> Verdict:
    """The verdict on a story."""
    return Verdict(
        case=case,
        violations=tuple(violations),
        effects=len(story.acted),
        unknowns=_unknowns(story),
        moved=tuple(seconds for each in since if (seconds := _moved(story, each)) is not None),
    )


def _moved(story: Story, since: datetime) -> float | None:
    """Seconds until the next event; None where there was nothing left to come."""
    later = [each.time for each in story.recorded if each.time > since]
    return (min(later) - since).total_seconds() if later else None


def _unknowns(story: Story) -> int:
    return sum(isinstance(event, ToolExecutionOutcomeUnknown) for event in story.events)


# -- what is right ----------------------------------------------------------------------------------


def _terminated(story: Story, case: Case) -> Iterator[str]:
    if story.outcome["reason"] != "terminated":
        yield f"the thread ends right: it ended with {story.outcome['reason']}"
    end, intent = (_first(story, kind) for kind in ("SessionTerminationRequested", "ToolExecutionRequested"))
    if story.acted and case.kind in {"unsafe", "reconcilable"} and not intent < end:
        yield "an unsafe tool does not begin once its thread is to end: it did"


def _first(story: Story, kind: str) -> int:
    return story.types.index(kind) if kind in story.types else len(story.types)


def _right(story: Story, case: Case) -> Iterator[str]:
    yield from succeeded(story)
    most = situation(case).unknowns(case)
    if _unknowns(story) > most:
        yield f"at most {most} unknown: there are {_unknowns(story)}"
    yield from untrue(story, failures=situation(case).may_fail(case))
    yield from situation(case).wrong(story, case)


def succeeded(story: Story) -> Iterator[str]:
    """What the thread came to, where that is no success."""
    if story.outcome["reason"] != "success":
        yield f"the thread ends right: it ended with {story.outcome['reason']}"


def untrue(story: Story, *, failures: bool) -> Iterator[str]:
    """What the log says of calls and the ledger does not; `failures`: whether a call may have come to nothing."""
    for event in story.events:
        match event:
            case ToolExecutionCompleted(call_id=call) if not _acted(story, call):
                yield f"what is told has happened: {call} has not"
            case ToolExecutionFailed(call_id=call, will_retry=False) if _acted(story, call):
                yield f"what is told to have failed has not happened: {call} has"
            case ToolExecutionFailed(call_id=call, will_retry=False, kind=problem) if not failures:
                yield f"the thread ends right: {call} failed ({problem})"
            case _:
                pass


def _acted(story: Story, call: str) -> bool:
    return any(line.call == call for line in story.acted)


# -- perdure verify ---------------------------------------------------------------------------------


@asynccontextmanager
async def verifying(stage: Stage) -> AsyncIterator[Verifier]:
    """What `perdure verify` uses."""
    settings = Settings(task_queue=stage.queue, workspace=stage.folder, plugins=("tests.acceptance.hands",))
    places = Places(stage.servers.temporal.address, stage.servers.postgres.url(), stage.model.url)
    client = await connect_temporal(settings, places.temporal)
    async with open_model(settings, places) as model:
        yield Verifier(stage.log, client, stage.queue, Requests(model, lay_out_tools(settings)))


async def findings(verifier: Verifier, handle: Handle) -> list[str]:
    """What `perdure verify` finds in the thread, and what it could not check."""
    verdict = await verifier.verify(thread_id(handle.id))
    return [
        *(
            f"perdure verify is silent: {each.invariant} at {each.position}: {each.problem}"
            for each in verdict.findings
        ),
        *(f"perdure verify can check everything: {count} {what}" for what, count in verdict.unchecked.items()),
    ]
