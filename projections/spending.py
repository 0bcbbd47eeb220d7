"""What a thread has spent, with what it may have spent: the side of its log that its budget looks at.

A model call that was declared and came to nothing that anybody knows of counts as it was set aside for: it may have
been billed. A tool's price counts for each attempt of which the log tells, as in the ledger; for the first from the
moment it is declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from eventlog.events import (
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    BudgetWarned,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    SessionStarted,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
)
from eventlog.log import Recorded
from eventlog.terms import LimitName, Limits
from projections.budget_question import raised
from projections.codec import json_codec
from projections.fold import Projection

NOT_MADE = frozenset({"too_late", "tool_changed", "approval_mismatch"})
"""Failures of attempts at tools that were declared and then not made: these cost nothing."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The model call that was declared last."""

    step: int
    at: int
    model: str
    bytes: int
    reserved: Decimal | None
    open: bool = True
    """Whether nothing is known yet of what came of it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the last reply's request was, and as how many tokens the provider counted it."""

    model: str
    bytes: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Tried:
    """An open call of a tool that has a price."""

    cost: Decimal
    """US dollars for each attempt."""
    failed: bool = False
    """Whether the attempt that was counted last has failed, so that the next one is not counted yet."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent up to the event at `position`, and what may be."""

    position: int = -1
    limits: Limits = field(default_factory=Limits)
    """With what was allowed on top."""
    approval_timeout: float = 0.0
    spent: Decimal = Decimal(0)
    """US dollars, of what has a price; what may have been billed included."""
    tokens: int = 0
    unpriced: bool = False
    """Whether models of unknown price may be asked."""
    failures: int = 0
    """Attempts at the current step that failed."""
    declared: Declared | None = None
    read: Read | None = None
    tried: Mapping[str, Tried] = field(default_factory=dict)
    """By the id of its call."""
    warned: tuple[tuple[LimitName, float], ...] = ()
    """Of which parts of the thread's own limits it was said that they are used."""
    question_at: int = -1
    """Position of the question about a budget that is open; -1 where none is."""
    answered_at: int = -1
    """Position of the last answer to one."""


def evolve(spending: Spending, recorded: Recorded) -> Spending:
    """The spending, one event further."""
    if recorded.position <= spending.position:
        return spending
    return replace(_after(spending, recorded), position=recorded.position)


def _after(spending: Spending, recorded: Recorded) -> Spending:
    match event := recorded.event:
        case LLMCallRequested():
            declared = Declared(event.step, event.at, event.model.name, event.request_bytes, event.reserved_usd)
            return replace(spending, declared=declared)
        case LLMResponseReceived():
            return _replied(spending, event)
        case LLMCallFailed():
            return _failed(spending, event)
        case ToolExecutionRequested(cost_usd=Decimal() as cost):
            return replace(_more(spending, cost), tried={**spending.tried, event.call_id: Tried(cost)})
        case ToolExecutionCompleted() | ToolExecutionFailed() | ToolExecutionOutcomeUnknown():
            return _attempted(spending, event)
        case SessionStarted():
            return replace(spending, limits=event.limits, approval_timeout=event.approval_timeout)
        case BudgetExceeded(action="ask"):
            return replace(spending, question_at=recorded.position)
        case BudgetRaised():
            limits = spending.limits if event.account else raised(spending.limits, event.more)
            unpriced = spending.unpriced or event.more.unpriced
            return replace(spending, limits=limits, unpriced=unpriced, question_at=-1, answered_at=recorded.position)
        case BudgetRefused():
            return replace(spending, question_at=-1, answered_at=recorded.position)
        case BudgetWarned(account=None):
            return replace(spending, warned=(*spending.warned, (event.limit, event.share)))
        case _:  # nothing else spends anything
            return spending


def _replied(spending: Spending, event: LLMResponseReceived) -> Spending:
    """What a reply says it cost; what nobody knows counts as it was set aside for."""
    declared, usage = spending.declared, event.token_usage
    after = replace(spending, tokens=spending.tokens + usage.total, failures=0)
    if declared is None or (declared.step, declared.at) != (event.step, event.at):
        return _more(after, event.cost_usd)
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    after = replace(after, read=Read(declared.model, declared.bytes, prompt), declared=replace(declared, open=False))
    return _more(after, declared.reserved if event.cost_usd is None else event.cost_usd)


def _failed(spending: Spending, event: LLMCallFailed) -> Spending:
    """A failure of which nobody says what it counts for may have been billed."""
    declared, counted = spending.declared, event.counted_usd
    failures = spending.failures + 1 if event.will_retry else 0
    if declared is None or declared.step != event.step:
        return replace(_more(spending, counted), failures=failures)
    unknown = declared.reserved if declared.open else None
    after = replace(spending, failures=failures, declared=replace(declared, open=False))
    return _more(after, unknown if counted is None else counted)


def _attempted(
    spending: Spending, event: ToolExecutionCompleted | ToolExecutionFailed | ToolExecutionOutcomeUnknown
) -> Spending:
    """What an attempt at a tool costs takes the place of what was counted when it was declared."""
    tried = spending.tried.get(event.call_id)
    if tried is None:
        return spending
    failed = event if isinstance(event, ToolExecutionFailed) else None
    cost = Decimal(0) if failed is not None and failed.kind in NOT_MADE else tried.cost
    counted = Decimal(0) if tried.failed else tried.cost
    left = {call: each for call, each in spending.tried.items() if call != event.call_id}
    if failed is not None and failed.will_retry:
        left[event.call_id] = replace(tried, failed=True)
    return replace(_more(spending, cost - counted), tried=left)


def _more(spending: Spending, cost: Decimal | None) -> Spending:
    return spending if cost is None else replace(spending, spent=spending.spent + cost)


SPENDING: Projection[Spending] = Projection("spending", 1, Spending, evolve, json_codec(Spending))
