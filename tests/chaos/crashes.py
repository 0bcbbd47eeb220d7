"""Threads that are struck at a point of their own work, that wait for one person's leave, or are terminated."""

from collections.abc import Sequence

from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.stage import Handle, Stage
from tests.chaos.cases import KINDS, Case
from tests.chaos.situation import DONE, Situation, Word, Words, call_of

ROUNDS = 6
"""Calls of a thread that comes to be continued as new."""


class Long(Situation):
    """A thread whose history grows too long for one run."""

    def play(self, case: Case) -> Sequence[Step]:
        """Many rounds."""
        calls = (Reply.tools((KINDS[case.kind], {}, call_of(case, number))) for number in range(ROUNDS))
        return [*calls, DONE]


class Approval(Situation):
    """Somebody is asked, and answers after the blow."""

    waits = True

    def call(self, case: Case, **arguments: str) -> Reply:
        """One that somebody must allow."""
        return super().call(case, hold="asked", **arguments)

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it waits."""
        await stage.until(handle.id, lambda session: session.status == "waiting")

    async def afterwards(self, stage: Stage, handle: Handle, case: Case) -> Words:  # noqa: ARG002
        """A yes."""
        return [Word("approve", {"call_id": call_of(case), "approver": "ana"})]


class Terminated(Situation):
    """It is terminated while its worker stands still."""

    waits = True

    async def afterwards(self, stage: Stage, handle: Handle, case: Case) -> Words:  # noqa: ARG002
        """That it shall end."""
        return [Word("terminate", {"by": "ana", "reason": "enough"})]
