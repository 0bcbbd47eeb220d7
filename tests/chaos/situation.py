"""What a thread is in the midst of when it is struck: what it plays, who says what, and what must have come of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.halting import POINTS
from tests.acceptance.invariants import Story
from tests.acceptance.stage import Handle, Stage
from tests.chaos.cases import KINDS, Case

DONE = Reply.text("done")


@dataclass(frozen=True, slots=True)
class Word:
    """Something a person says to a thread, by a signal."""

    signal: str
    said: Mapping[str, Any]


Words = Sequence[Word]


class Situation:
    """A thread that makes one call, and in which nobody says anything."""

    waits = False
    """Whether the thread cannot move before somebody has spoken after the blow."""
    away = 0.0
    """Seconds for which servers are away at least."""

    def play(self, case: Case) -> Sequence[Step]:
        """What the model says."""
        return [self.call(case), DONE]

    def call(self, case: Case, **arguments: Any) -> Reply:
        """The call that is struck."""
        return Reply.tools((KINDS[case.kind], arguments, call_of(case)))

    def terms(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        """With what the thread is started; `token` is the scene's alone."""
        return {}

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:
        """Return as soon as the thread is where it is to be struck."""
        if case.moment in POINTS:
            await stage.halts.reached_by([handle.id])

    def at_the_blow(self, case: Case) -> Words:  # noqa: ARG002
        """What is said right before it."""
        return ()

    async def afterwards(self, stage: Stage, handle: Handle, case: Case) -> Words:  # noqa: ARG002
        """What is said after it; looked up before it."""
        return ()

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:
        """What somebody does when everything is back."""

    def unknowns(self, case: Case) -> int:
        """Outcomes that nobody may know."""
        return int(case.kind == "unsafe" and case.may_lose_an_outcome)

    def may_fail(self, case: Case) -> bool:
        """Whether a call may have come to nothing."""
        return case.kind == "reconcilable" and case.may_lose_an_outcome

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """What the log says that it should not."""
        yield from ()

    async def wrong_besides(self, stage: Stage, story: Story) -> Sequence[str]:  # noqa: ARG002
        """What is not right elsewhere than in the log."""
        return ()


def call_of(case: Case, number: int = 0) -> str:
    """The id of the thread's so-many-th call."""
    return f"{case.opening}-{number}"


def counted(story: Story, kind: str, times: int) -> Iterator[str]:
    """That there are not so many events of a type."""
    found = story.types.count(kind)
    if found != times:
        yield f"there are {times} {kind}: there are {found}"
