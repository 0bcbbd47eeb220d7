"""What is to be decided: one tool call, with everything a rule may look at. Nothing is looked up while deciding."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from eventlog.terms import Capabilities, Effect, PolicyDecision, Risk
from llm.messages import JsonObject

Decision: TypeAlias = PolicyDecision
STRICTNESS: dict[Decision, int] = {"allow": 0, "warn": 1, "ask": 2, "deny": 3}


@dataclass(frozen=True, slots=True)
class Hint:
    """What the tool's author says of this call: counted where it is stricter than the policy."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call before it is made. What is None is not known, and no rule is loosened by it."""

    tool: str
    arguments: JsonObject = field(default_factory=dict)
    """Validated and coerced, as the tool would get them."""
    effect: Effect | None = None
    risk: Risk | None = None
    needs: Capabilities | None = None
    """What the tool needs of the world, as was agreed when the session began."""
    tenant: str | None = None
    principal: str | None = None
    model: str | None = None
    """The model that wants the call."""
    time: datetime | None = None
    """Now, with its time zone."""
    cost: Decimal | None = None
    """US dollars the call may cost."""
    spent: Decimal | None = None
    """US dollars the thread has spent so far."""
    hint: Hint | None = None
