"""What the process itself asks of its session: that something is over, is reached, or is given up.

Nobody sends these; they become facts on the same way as what people ask in `projections/requests.py`.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from eventlog.terms import CompletionReason, LimitName, When
from llm.messages import Frozen


class Expire(Frozen):
    """Nobody answered the question in time."""

    request: Literal["expire"] = "expire"
    call_id: str
    level: int = Field(default=0, exclude_if=lambda level: level == 0)
    """How often it had been escalated then."""
    at: datetime | None = Field(default=None, exclude_if=lambda at: at is None)
    """When that was: the next ones have their time from then on."""


class Reach(Frozen):
    """The session has come to a point where it is to be stopped."""

    request: Literal["reach"] = "reach"
    breakpoint: str
    when: When
    step: int
    tools: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


class Skip(Frozen):
    """Somebody said something that comes first: the call is not to be run, unless it has begun."""

    request: Literal["skip"] = "skip"
    call_id: str


class Trip(Frozen):
    """A limit is reached."""

    request: Literal["trip"] = "trip"
    limit: LimitName
    allowed: float
    used: float
    tool: str | None = Field(default=None, exclude_if=lambda tool: tool is None)


class GiveUpBudget(Frozen):
    """Nobody said in time whether the session may use more."""

    request: Literal["give_up_budget"] = "give_up_budget"
    asked_at: int
    """The position of the question."""


class ReviewAnswer(Frozen):
    """A person is to look at the final answer before it is used."""

    request: Literal["review"] = "review"
    step: int
    expires_at: datetime


class GiveUpModel(Frozen):
    """The model call of this step failed as often as it may, or its process died every time."""

    request: Literal["give_up_model"] = "give_up_model"
    step: int
    kind: str
    problem: str


class GiveUpTool(Frozen):
    """This tool call failed as often as it may, or its process died every time."""

    request: Literal["give_up_tool"] = "give_up_tool"
    call_id: str
    kind: str
    problem: str


class Close(Frozen):
    """End the session and say why."""

    request: Literal["close"] = "close"
    reason: CompletionReason
    summary: str
