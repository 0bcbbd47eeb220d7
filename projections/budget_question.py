"""What a person is asked where a limit is reached, and what becomes of the limits when they allow more."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventlog.events import BudgetExceeded
from eventlog.raises import Raise
from eventlog.terms import LimitName, Limits
from policy.patterns import Globs

BUDGET = "budget"
"""What stands in the place of a call's id where the question is about a budget."""


@dataclass(frozen=True)
class BudgetQuestion:
    """A question that waits: whether the session may use more."""

    position: int
    limit: LimitName
    reached: str
    """What was reached, in words."""
    text: str
    """What the person reads first: one line."""
    account: str | None = None
    """The budget that threads share which has no more; the thread's own where there is none."""
    raised_by: tuple[str, ...] = ()
    """Patterns of the names of those who may answer; anybody where there are none."""
    expires_at: datetime | None = None


def asked(position: int, event: BudgetExceeded) -> BudgetQuestion:
    """The question that an event puts."""
    return BudgetQuestion(
        position=position,
        limit=event.limit,
        reached=reached(event),
        text=event.question or f"May it use more? {reached(event)}",
        account=event.account,
        raised_by=event.raised_by,
        expires_at=event.expires_at,
    )


def named(limit: str, tool: str | None = None) -> str:
    """A limit in words."""
    words = {"tool_calls": "tool calls", "tool": f"calls of {tool}", "runtime": "running time"}
    return words.get(limit, limit)


def reached(event: BudgetExceeded) -> str:
    """What was reached, in words: `the limit on turns was reached: 2 of 2`."""
    limit = f"the limit on {named(event.limit, event.tool)}{of_account(event.account)}"
    if event.unpriced:
        return f"{limit} cannot be held to, for the price of the model is not known"
    if event.needed is None:
        return f"{limit} was reached: {_used(event)}"
    return f"{limit} had no room for {event.needed:g} more: {_used(event)}"


def of_account(account: str | None) -> str:
    """Whose budget it is, for the end of a phrase; nothing for a thread's own."""
    if account is None:
        return ""
    budget, tenant, principal, period, _ = json.loads(account)
    whose = tenant if principal is None else f"{principal} of {tenant}"
    return f" of {budget} for {whose} in {period}"


def _used(event: BudgetExceeded) -> str:
    return f"{event.used:g} of {event.allowed:g}"


def may_raise(patterns: tuple[str, ...], name: str) -> bool:
    """Whether somebody of this name may allow more."""
    return not patterns or Globs(patterns).match(name) is True


def not_raisable(limits: Limits, more: Raise) -> str | None:
    """Why the limits cannot be raised so: what has no limit needs no raise. None where they can."""
    free = ["calls"] if more.calls is not None else []
    free += [name for name, amount in _amounts(more).items() if amount is not None and getattr(limits, name) is None]
    free += [f"calls of {name}" for name in more.tools if name not in limits.tools]
    return f"there is no limit on {', '.join(free)}" if free else None


def raised(limits: Limits, more: Raise) -> Limits:
    """The limits with so much more."""
    changes = {
        name: getattr(limits, name) + amount
        for name, amount in _amounts(more).items()
        if amount is not None and getattr(limits, name) is not None
    }
    tools = {name: allowed + more.tools.get(name, 0) for name, allowed in limits.tools.items()}
    return limits.model_copy(update={**changes, "tools": tools})


def _amounts(more: Raise) -> Mapping[str, Any]:
    """What a thread has limits on, but for single tools."""
    return {name: getattr(more, name) for name in ("turns", "tool_calls", "tokens", "runtime", "cost")}
