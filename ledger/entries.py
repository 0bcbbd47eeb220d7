"""Which entries of the ledger follow from which events: a pure function, the same whenever it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from eventlog.escaping import ESCAPE
from eventlog.events import (
    AnyEvent,
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
from llm.messages import TokenUsage
from projections.spending import NOT_MADE

USED = frozenset(
    kind.__name__
    for kind in (
        SessionStarted,
        LLMCallRequested,
        LLMResponseReceived,
        LLMCallFailed,
        ToolExecutionRequested,
        ToolExecutionCompleted,
        ToolExecutionFailed,
        ToolExecutionOutcomeUnknown,
    )
)
"""The events that tell of something used, or by whom."""

LONGEST_NAME = 200
"""Characters; names that a model made up may be of any length."""


@dataclass(frozen=True, slots=True)
class Thread:
    """Whose a thread is, and which model it asked last."""

    tenant: str
    principal: str
    asked: str = ""
    begun: Mapping[str, Decimal] = field(default_factory=dict)
    """What an attempt costs, by the id of its call: of those that were declared, cost something and are open."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, or one attempt that failed."""

    global_position: int
    at: datetime
    thread: str
    tenant: str
    principal: str
    model: str | None = None
    tool: str | None = None
    """One of the two."""
    calls: int = 0
    failures: int = 0
    unknown: int = 0
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost: Decimal | None = Decimal(0)
    """US dollars; None where the price is not known."""
    duration_ms: int = 0

    @property
    def day(self) -> date:
        """In UTC."""
        return self.at.astimezone(UTC).date()


def thread_of(recorded: Recorded) -> str:
    """The thread an event belongs to, by the name of its stream."""
    return label(recorded.stream.partition("-")[2])


def enter(events: Sequence[Recorded], threads: Mapping[str, Thread]) -> tuple[list[Entry], dict[str, Thread]]:
    """The entries that follow from these events, and what is then known of their threads.

    `threads` is what was known of them before. An event of a thread whose beginning was never seen is entered under
    whoever wrote it.
    """
    entries: list[Entry] = []
    known: dict[str, Thread] = dict(threads)
    for recorded in events:
        name = thread_of(recorded)
        thread = known.get(name) or _of_writer(recorded)
        known[name] = _told(thread, recorded.event)
        blank = Entry(recorded.global_position, recorded.metadata.at, name, thread.tenant, thread.principal)
        entry = _entered(blank, thread, recorded.event)
        if entry is not None:
            entries.append(entry)
    return entries, known


def _of_writer(recorded: Recorded) -> Thread:
    return Thread(label(recorded.metadata.tenant), label(recorded.metadata.principal))


def _told(thread: Thread, event: AnyEvent) -> Thread:
    """The thread, one event further."""
    match event:
        case SessionStarted():
            return Thread(label(event.tenant), label(event.principal))
        case LLMCallRequested():
            return replace(thread, asked=label(event.model.name))
        case ToolExecutionRequested(cost_usd=Decimal() as cost):
            return replace(thread, begun={**thread.begun, event.call_id: cost})
        case ToolExecutionCompleted() | ToolExecutionFailed(will_retry=False) | ToolExecutionOutcomeUnknown():
            begun = {call: cost for call, cost in thread.begun.items() if call != event.call_id}
            return replace(thread, begun=begun)
        case _:
            return thread


def _entered(entry: Entry, thread: Thread, event: AnyEvent) -> Entry | None:
    match event:
        case LLMResponseReceived():
            return replace(
                entry,
                model=label(event.model_name),
                calls=1,
                tokens=event.token_usage,
                cost=event.cost_usd,
                duration_ms=event.duration_ms,
            )
        case LLMCallFailed():
            return replace(entry, model=thread.asked, failures=1)
        case ToolExecutionCompleted():
            made = replace(entry, tool=label(event.tool_name), cost=_cost(thread, event.call_id))
            return replace(made, calls=1, duration_ms=event.execution_time_ms)
        case ToolExecutionFailed():
            cost = Decimal(0) if event.kind in NOT_MADE else _cost(thread, event.call_id)
            return replace(entry, tool=label(event.tool_name), failures=1, cost=cost)
        case ToolExecutionOutcomeUnknown():
            return replace(entry, tool=label(event.tool_name), unknown=1, cost=_cost(thread, event.call_id))
        case _:
            return None


def _cost(thread: Thread, call: str) -> Decimal:
    return thread.begun.get(call, Decimal(0))


def label(name: str) -> str:
    """A name as the ledger has it: characters that no table takes are replaced, and it is cut where it is endless."""
    return "".join(each if each.isprintable() and each != ESCAPE else "\ufffd" for each in name[:LONGEST_NAME])
