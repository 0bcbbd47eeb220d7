"""Threads whose model is ill: another one stands in for it, or one thread tries whether it is well again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventlog.events import LLMResponseReceived, ModelChanged
from llm.messages import JsonObject
from stack.scripted.answers import Answer, Fault, Reply
from stack.scripted.playbook import Part, Step
from tests.acceptance.invariants import Story
from tests.acceptance.stage import Handle, Stage
from tests.chaos.cases import Case
from tests.chaos.situation import DONE, Situation

ILL, WELL = "scripted-ill", "scripted-1"
FAILURES = 5
REFUSED = Fault(529, retry_after=0.05)
PACE, CHUNK = 0.1, 5
SLOWLY = Reply.text("word " * 200).at_pace(PACE, CHUNK)
"""Twenty seconds."""
CIRCUITS: Mapping[str, Any] = {"failures": FAILURES, "open": 1, "longest": 4, "probe": 3}


def limits() -> str:
    """The file of limits: circuits that do not keep anybody long."""
    return json.dumps({"circuits": CIRCUITS})


def _terms(model: str, *fallbacks: str) -> Mapping[str, Any]:
    return {"model": {"name": model, "max_tokens": 8192}, "fallback_models": fallbacks}


def _if_well(reply: Reply) -> Part:
    def answer(body: JsonObject) -> Answer:
        return REFUSED if str(body["model"]).startswith(ILL) else reply

    return answer


class StandingIn(Situation):
    """The wanted model was asked in vain; that another stands in for it is written, and nobody has asked that yet."""

    def play(self, case: Case) -> Sequence[Step]:
        """Replies of the one that stands in."""
        return [_if_well(self.call(case)), _if_well(DONE)]

    def terms(self, token: str) -> Mapping[str, Any]:
        """A model that nobody else asks for."""
        return _terms(f"{ILL}-{token}", WELL)

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """Every reply is of the one that stood in, and each change of models leads somewhere else."""
        names = {event.model_name for event in story.events if isinstance(event, LLMResponseReceived)}
        if names != {WELL}:
            yield f"the model that stands in has answered: {names}"
        changes = [event for event in story.events if isinstance(event, ModelChanged)]
        if not changes or any(event.previous == event.model.name for event in changes):
            yield f"models change from one to another: {changes}"


class Probing(Situation):
    """The model was ill, nobody asks it but this thread, and the one who does is struck before it has the answer."""

    def play(self, case: Case) -> Sequence[Step]:
        """Refusals until the circuit opens, a slow answer, and then others."""
        return [[*[REFUSED] * FAILURES, SLOWLY, self.call(case)], DONE]

    def terms(self, token: str) -> Mapping[str, Any]:
        """A model that nobody else asks for, and none that could stand in."""
        return _terms(f"scripted-probed-{token}")

    async def come(self, stage: Stage, handle: Handle, case: Case) -> None:  # noqa: ARG002
        """Until it is asked again."""
        await stage.until_asked(case.opening, FAILURES + 1)
