"""The review of a task's final answer: a person accepts, replaces or sends it back before it is used.

A question like any other, but about no call: what it asks about is the answer of one model call, by that call's step.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from eventlog.events import HumanInputProvided, HumanInputRequested

FINAL = "final-answer"
"""What stands in the place of a call's id where the question is about the final answer."""
QUESTION = "May this be the final answer?"
UNREVIEWED = "nobody reviewed the final answer in time"


@dataclass(frozen=True)
class Review:
    """How far the review of the final answer has come."""

    timeout: float
    """Seconds the question waits."""
    question: str = ""
    """While it waits."""
    asked_at: int = -1
    """The position of the newest question."""
    expires_at: datetime | None = None
    step: int = 0
    """The model call whose answer was put up last."""
    accepted: int = 0
    """The model call whose answer may be used."""
    unanswered: int = 0
    """The model call whose answer nobody reviewed in time."""

    @property
    def waits(self) -> bool:
        """Whether a person must answer."""
        return bool(self.question)

    def asked(self, position: int, event: HumanInputRequested) -> Self:
        """The answer is put up."""
        return replace(
            self, question=event.question, asked_at=position, expires_at=event.expires_at, step=event.step or 0
        )

    def provided(self, event: HumanInputProvided) -> Self:
        """A person has reviewed it."""
        accepted = self.accepted if event.verdict == "send_back" else event.step or 0
        return replace(self, question="", accepted=accepted)

    def expired(self) -> Self:
        """Nobody has."""
        return replace(self, question="", unanswered=self.step)
