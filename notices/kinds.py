"""What people are told of, by the event that tells it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from eventlog.events import AnyEvent, UnknownEvent

TEST: Final = "webhook.test"
"""What `perdure webhooks test` sends."""

KINDS: Final[Mapping[str, str]] = {
    "ApprovalRequested": "approval.requested",
    "ApprovalVoted": "approval.voted",
    "ApprovalEscalated": "approval.escalated",
    "ApprovalGranted": "approval.granted",
    "ApprovalDenied": "approval.denied",
    "ApprovalExpired": "approval.expired",
    "HumanInputRequested": "input.requested",
    "HumanInputProvided": "input.provided",
    "HumanInputExpired": "input.expired",
    "BudgetWarned": "budget.warned",
    "BudgetExceeded": "budget.exceeded",
    "BudgetRaised": "budget.raised",
    "BudgetRefused": "budget.refused",
    "UsageAlert": "usage.alert",
    "LoopDetected": "loop.detected",
}
"""By the name of the event."""

EXPIRING: Final[Mapping[str, str]] = {
    "ApprovalRequested": "approval.expiring",
    "ApprovalEscalated": "approval.expiring",
    "HumanInputRequested": "input.expiring",
    "BudgetExceeded": "budget.expiring",
}
"""By the event that says until when a question waits: told again before that time is over."""

SETTLED_BY: Final[Mapping[str, frozenset[str]]] = {
    "ApprovalRequested": frozenset({"ApprovalGranted", "ApprovalDenied", "ApprovalExpired"}),
    "ApprovalEscalated": frozenset({"ApprovalGranted", "ApprovalDenied", "ApprovalExpired"}),
    "HumanInputRequested": frozenset({"HumanInputProvided", "HumanInputExpired"}),
    "BudgetExceeded": frozenset({"BudgetRaised", "BudgetRefused"}),
}
"""By the event that asks: those after which nobody need answer any more."""

ASKING: Final = frozenset({"ApprovalRequested", "HumanInputRequested", "BudgetExceeded"})
"""Events that put a question; others may put the same one again, to other people."""

ALL: Final = frozenset({*KINDS.values(), *EXPIRING.values()})
"""Every kind that an endpoint may ask for."""


def chosen(patterns: tuple[str, ...]) -> frozenset[str]:
    """The kinds that patterns such as `approval.*` choose; all where there is none."""
    return ALL if not patterns else frozenset(kind for kind in ALL for each in patterns if fnmatchcase(kind, each))


def name_of(event: AnyEvent) -> str:
    """What an event is called in the log."""
    return event.type_name if isinstance(event, UnknownEvent) else event.type
