"""Threads that somebody steers in the moment in which they are struck."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.invariants import Story
from tests.acceptance.stage import Handle, Stage
from tests.chaos.cases import Case
from tests.chaos.models import CHUNK, PACE
from tests.chaos.situation import DONE, Situation, Word, Words, call_of, counted

ANA = {"by": "ana"}
ENDLESSLY = Reply.text("word " * 1000).at_pace(PACE, CHUNK)
"""A hundred seconds, which nobody waits for: the others have come to their moments long before."""


class InModel(Situation):
    """The model is answering, slowly; asked again, it answers at once."""

    def play(self, case: Case) -> Sequence[Step]:
        """Words that nobody will read, or the call in their place."""
        return [[ENDLESSLY, self.call(case)], DONE]

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it has been asked."""
        await stage.until_asked(case.opening)


class InTool(Situation):
    """A tool has acted and is held at a gate, which is opened when all is back."""

    def call(self, case: Case, **arguments: str) -> Reply:
        """One that is held."""
        return super().call(case, hold="after", **arguments)

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:
        """Until it has acted."""
        await stage.until_written("acted", handle.id, call_of(case))

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """The gate is opened."""
        stage.gates.open(call_of(case))


class Interrupted(Situation):
    """Somebody interrupts it, and has it go on when it has come to rest."""

    def at_the_blow(self, case: Case) -> Words:  # noqa: ARG002
        """Stop."""
        return [Word("interrupt", ANA)]

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """It is resumed when nothing runs any more."""
        await stage.until(handle.id, lambda session: session.status == "waiting" and not session.pending)
        await handle.signal("resume", ANA)

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """It was interrupted once, and resumed once."""
        yield from counted(story, "SessionInterrupted", 1)
        yield from counted(story, "SessionResumed", 1)


class InterruptedModel(Interrupted, InModel):
    """In the middle of a reply."""


class InterruptedTool(Interrupted):
    """In the middle of a tool, before it has acted."""

    def call(self, case: Case, **arguments: str) -> Reply:
        """One that is held for good."""
        return super().call(case, hold="before", **arguments)

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:
        """Until it has begun."""
        await stage.until_written("began", handle.id, call_of(case))

    def unknowns(self, case: Case) -> int:
        """An unsafe one may have acted, whoever was struck."""
        return int(case.kind in {"unsafe", "reconcilable"})

    def may_fail(self, case: Case) -> bool:  # noqa: ARG002
        """It is stopped."""
        return True


class Steered(Situation):
    """Somebody says something that is to take effect at once."""

    def at_the_blow(self, case: Case) -> Words:  # noqa: ARG002
        """Rather this."""
        return [Word("steer", {"message": "rather this", "sender": "ana"})]

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """It was said once."""
        yield from counted(story, "UserMessageAdded", 2)


class SteeredModel(Steered, InModel):
    """In the middle of a reply."""


class SteeredTool(Steered, InTool):
    """In the middle of a tool."""


class Paused(InTool):
    """Somebody pauses it in the middle of a tool; then it is to take one step, and then to go on."""

    def play(self, case: Case) -> Sequence[Step]:
        """A call for the step, and one for what comes after."""
        return [self.call(case), Reply.tools(("glance", {}, call_of(case, 1))), DONE]

    def at_the_blow(self, case: Case) -> Words:  # noqa: ARG002
        """Pause."""
        return [Word("pause", ANA)]

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:
        """One step, when the tool is over; then all the others."""
        await super().go_on(stage, handle, case)
        await stage.until(handle.id, lambda session: session.paused and call_of(case) not in session.pending)
        await handle.execute_update("step", ANA)
        await stage.until(handle.id, lambda session: session.paused)
        await handle.execute_update("resume", ANA)

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """There was one step."""
        yield from counted(story, "SessionStepped", 1)


class Stepped(InModel):
    """It stands before its first step, and takes that step alone: the model is asked, and answers slowly."""

    def play(self, case: Case) -> Sequence[Step]:
        """A reply with a call in it."""
        return [self.call(case).at_pace(PACE, CHUNK), DONE]

    def terms(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        """It is stopped before each step."""
        return {"breakpoints": [{"when": "before"}]}

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it stands."""
        await stage.until(handle.id, lambda session: session.paused)

    def at_the_blow(self, case: Case) -> Words:  # noqa: ARG002
        """One step."""
        return [Word("step", ANA)]

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """When it has been taken, it goes on without being stopped."""
        await stage.until(handle.id, lambda session: session.paused and session.turns == 1)
        await handle.execute_update("clear_breakpoint", ANA)
        await handle.execute_update("resume", ANA)

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """There was one step."""
        yield from counted(story, "SessionStepped", 1)
