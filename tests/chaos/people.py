"""Threads in which several people must agree, nobody answers in time, or the model has asked somebody something."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temporalio.client import WorkflowUpdateStage
from temporalio.service import RPCError

from eventlog.events import ApprovalGranted, ApprovalVoted, HumanInputProvided, ToolExecutionRequested
from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.invariants import Story
from tests.acceptance.stage import Handle, Stage
from tests.acceptance.worker_process import PATIENCE
from tests.chaos.cases import KINDS, Case
from tests.chaos.situation import DONE, Situation, Word, Words, call_of, counted

TIMEOUT = 6.0
"""Seconds a question waits that nobody answers."""
EDITED = {"hold": "asked"}


def _policy(**approval: Any) -> str:
    rule = {"id": "asked", "tools": list(KINDS.values()), "decision": "ask", "approval": approval}
    return json.dumps({"default": "allow", "rules": [rule]})


POLICIES: Mapping[str, str] = {
    "two-votes": _policy(quorum=2),
    "expired": _policy(timeout=TIMEOUT, on_expiry="allow"),
    "lapsed": _policy(timeout=TIMEOUT),
}
"""Files of policies, by the moment for which each is."""


class TwoVotes(Situation):
    """Two must agree; one has, with other arguments than the model's. The other agrees to these after the blow."""

    waits = True

    def terms(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Under the policy that wants two."""
        return {"policy": "two-votes"}

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:
        """Until the first has voted."""
        await stage.until(handle.id, lambda session: session.status == "waiting")
        said = {"call_id": call_of(case), "approver": "ana", "edited_arguments": EDITED}
        await handle.execute_update("approve", said)

    async def afterwards(self, stage: Stage, handle: Handle, case: Case) -> Words:
        """The second yes, to what the first has made of it, and the first's once more, which counts for nothing."""
        ballot = (await stage.session(handle.id)).pending[call_of(case)].ballot
        yes = {"call_id": call_of(case), "position": ballot.at}
        return [Word("approve", {**yes, "approver": name}) for name in ("ana", "bo")]

    def wrong(self, story: Story, case: Case) -> Iterator[str]:
        """Both are on record, once each, and what ran is what both have seen."""
        said = [
            (event.type, event.approver)
            for event in story.events
            if isinstance(event, ApprovalVoted | ApprovalGranted) and event.call_id == call_of(case)
        ]
        if said != [("ApprovalVoted", "ana"), ("ApprovalGranted", "bo")]:
            yield f"two people have agreed, each once: {said}"
        ran = [event.arguments for event in story.events if isinstance(event, ToolExecutionRequested)]
        if ran != [EDITED]:
            yield f"what two agreed to has run: {ran}"


class Answering(Situation):
    """Somebody has said yes by an update, which is on its way into the log; they hear nothing, and send it again."""

    def call(self, case: Case, **arguments: str) -> Reply:
        """One that somebody must allow."""
        return super().call(case, hold="asked", **arguments)

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:
        """Until the answer is about to be written."""
        await stage.until(handle.id, lambda session: session.status == "waiting")
        await handle.start_update(*_yes(case), id=case.opening, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await super().come(stage, handle, case)

    async def go_on(self, stage: Stage, handle: Handle, case: Case) -> None:
        """The same again: whoever sends it hears where the answer stands."""
        async with asyncio.timeout(2 * PATIENCE):
            try:
                answer = await handle.execute_update(*_yes(case), id=case.opening)
            except RPCError:  # the thread has ended meanwhile
                answer = await handle.get_update_handle(case.opening).result()
        stands = (await stage.recorded(handle.id))[answer["position"]].event
        if stands.type != "ApprovalGranted":
            raise AssertionError(f"whoever answers hears where the answer stands: there is {stands}")

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """It was allowed once."""
        yield from counted(story, "ApprovalGranted", 1)


def _yes(case: Case) -> tuple[str, Mapping[str, str]]:
    return "approve", {"call_id": call_of(case), "approver": "ana"}


class Expired(Situation):
    """Nobody answers, and the time is over while what was struck is away. Then it may run."""

    away = TIMEOUT

    def terms(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Under the policy that takes silence for a yes."""
        return {"policy": "expired"}

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it waits."""
        await stage.until(handle.id, lambda session: session.status == "waiting")

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """It has expired once, and run."""
        yield from counted(story, "ApprovalExpired", 1)
        yield from counted(story, "ToolExecutionRequested", 1)


class Lapsed(Expired):
    """The same, and then it may not run."""

    def terms(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Under the policy that takes silence for a no."""
        return {"policy": "lapsed"}

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """It has expired once, and has not run."""
        yield from counted(story, "ApprovalExpired", 1)
        yield from counted(story, "ToolExecutionRequested", 0)


class Question(Situation):
    """The model has asked a person something, who answers after the blow, twice."""

    waits = True

    def play(self, case: Case) -> Sequence[Step]:
        """A question, and a call after it."""
        asked = {"question": "Which one?", "kind": "choose", "options": ["red", "blue"]}
        return [Reply.tools(("ask_human", asked, "question")), self.call(case), DONE]

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it waits."""
        await stage.until(handle.id, lambda session: session.status == "waiting")

    async def afterwards(self, stage: Stage, handle: Handle, case: Case) -> Words:  # noqa: ARG002
        """Two answers, of which one counts."""
        return [Word("answer", {"call_id": "question", "value": value, "by": "ana"}) for value in ("blue", "red")]

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """The first answer stands, alone."""
        answers = [event.value for event in story.events if isinstance(event, HumanInputProvided)]
        if answers != ["blue"]:
            yield f"the first answer stands: {answers}"
