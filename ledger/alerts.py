"""Alerts: what is to be said, once, when more was used in a day or a month than somebody thought.

An alert stops nobody, that is what budgets are for: it counts whatever the ledger holds, also of threads that have no
budget. It is an event in a stream of its own, `alert:v1-` and the alert's id.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from eventlog.events import UnknownEvent
from eventlog.facts import Facts
from eventlog.ids import event_id
from eventlog.log import Recorded
from eventlog.streams import StreamName, ThreadId, build_stream_name
from ledger.report import Question
from policy.mistakes import Reader
from policy.patterns import Globs
from policy.rules import Dollars, Named
from policy.words import Patterns, Words

Period: TypeAlias = Literal["day", "month"]
Measure: TypeAlias = Literal["cost", "tokens", "calls", "unpriced"]
MEASURES: tuple[Measure, ...] = ("cost", "tokens", "calls", "unpriced")
MOST_ALERTS = 100
Count = Annotated[int, Field(gt=0, le=10**15)]


class Alert(Words):
    """One alert, as its author writes it down."""

    id: Named
    """Its name, and that of its stream."""
    per: Period
    """Of UTC's calendar."""
    each: Literal["tenant", "principal"] | None = None
    """Whether each tenant, or each principal of a tenant, is counted apart. Not said: all together."""
    tenants: Patterns | None = None
    """The tenants that are counted; all where it names none."""
    principals: Patterns | None = None
    """The principals that are counted; all where it names none."""
    cost: Annotated[Dollars, Field(gt=0)] | None = None
    tokens: Count | None = None
    """All tokens read and written, cache included."""
    calls: Count | None = None
    """Replies of models, calls of tools, and attempts of both that failed."""
    unpriced: Count | None = None
    """Replies of models whose price is not known."""

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if not any(True for _ in self.limits()):
            raise ValueError("it counts nothing: write cost: …, tokens: …, calls: … or unpriced: …")
        return self

    def limits(self) -> Iterator[tuple[Measure, Decimal]]:
        """What it counts, and how much of it is too much."""
        for measure in MEASURES:
            limit = getattr(self, measure)
            if limit is not None:
                yield measure, Decimal(limit)

    def counts(self, used: "Used") -> bool:
        """Whether what they used is among what it counts."""
        return _fits(self.tenants, used.tenant) and _fits(self.principals, used.principal)


class Alerts(Words):
    """A file of alerts."""

    description: str | None = None
    """For people."""
    alerts: Annotated[
        tuple[Alert, ...],
        BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
        Field(min_length=1, max_length=MOST_ALERTS),
    ]

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        ids = [alert.id for alert in self.alerts]
        for twice in sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"two alerts have the id {twice!r}")
        return self


def read_alerts(file: Path) -> Alerts:
    """The alerts in a file; raises `policy.mistakes.InvalidFile` with everything that is wrong with it, by line."""
    said, _ = Reader(Alerts, {"alerts": Alert}).read(file, Alerts)
    return said


class UsageAlert(Facts):
    """More was used in a period than an alert allows."""

    version: ClassVar[int] = 1
    alert: str
    """Its id."""
    measure: Measure
    limit: Decimal
    used: Decimal
    """When it was noticed: it may be more by now."""
    unpriced: int
    """Replies among them whose price was not known, and which a cost leaves out."""
    per: Period
    period: str
    """The day or month, as in 2026-11-21 or 2026-11."""
    tenant: str | None = None
    """Whose use it was; none where all are counted together."""
    principal: str | None = None

    @property
    def id(self) -> UUID:
        """The same for the same limit, period and users, however often it is noticed."""
        began = datetime.combine(first_day(self.period), datetime.min.time(), UTC)
        about = f"{self.measure}/{self.limit.normalize()}/{self.period}/{self.tenant}/{self.principal}"
        return event_id(ThreadId(self.alert), int(began.timestamp() * 1000), about)

    @property
    def stream(self) -> StreamName:
        """Where it is written."""
        return build_stream_name("alert", "v1", self.alert)

    def is_about(self, question: Question) -> bool:
        """Whether it tells of the days, the tenant and the principal that are asked about."""
        first, last = first_day(self.period), last_day(self.period)
        return (
            (question.since is None or last >= question.since)
            and (question.until is None or first <= question.until)
            and question.tenant in {None, self.tenant}
            and question.principal in {None, self.principal}
        )

    def written(self) -> UnknownEvent:
        """As it stands in the stream: no view of a thread folds it."""
        return UnknownEvent(type_name=type(self).__name__, data=self.model_dump(mode="json"))


def alert_of(recorded: Recorded) -> UsageAlert | None:
    """What an event of an alert's stream says; None where it is none of ours, or a newer version's."""
    event = recorded.event
    if not isinstance(event, UnknownEvent) or event.type_name != UsageAlert.__name__:
        return None
    try:
        return UsageAlert.model_validate(event.data, extra="ignore")
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class Used:
    """What a principal of a tenant used in a period."""

    tenant: str
    principal: str
    cost: Decimal
    tokens: int
    calls: int
    unpriced: int


def raised(alerts: Iterable[Alert], per: Period, period: str, used: Sequence[Used]) -> Iterator[UsageAlert]:
    """What is to be said of a period, by what everybody used in it."""
    for alert in alerts:
        if alert.per == per:
            yield from _raised(alert, period, [each for each in used if alert.counts(each)])


def _raised(alert: Alert, period: str, used: Sequence[Used]) -> Iterator[UsageAlert]:
    groups: dict[tuple[str | None, str | None], list[Used]] = {}
    for each in used:
        groups.setdefault(_group(alert, each), []).append(each)
    for (tenant, principal), members in groups.items():
        unpriced = sum(member.unpriced for member in members)
        for measure, limit in alert.limits():
            total = sum((Decimal(getattr(member, measure)) for member in members), Decimal(0))
            if total >= limit:
                yield UsageAlert(
                    alert=alert.id,
                    measure=measure,
                    limit=limit,
                    used=total,
                    unpriced=unpriced,
                    per=alert.per,
                    period=period,
                    tenant=tenant,
                    principal=principal,
                )


def _group(alert: Alert, used: Used) -> tuple[str | None, str | None]:
    match alert.each:
        case "tenant":
            return used.tenant, None
        case "principal":
            return used.tenant, used.principal
        case None:
            return None, None


def _fits(patterns: tuple[str, ...] | None, name: str) -> bool:
    return patterns is None or Globs(patterns).match(name) is not False


def period_of(day: date, per: Period) -> str:
    """The day itself, or its month."""
    return day.isoformat() if per == "day" else day.isoformat()[:7]


def first_day(period: str) -> date:
    """Of a day or month."""
    return date.fromisoformat(period if len(period) > len("2026-11") else f"{period}-01")


def last_day(period: str) -> date:
    """Of a day or month."""
    first = first_day(period)
    return first if period == first.isoformat() else first.replace(day=monthrange(first.year, first.month)[1])
