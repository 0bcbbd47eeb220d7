"""Questions to the ledger: sums of what was used, by whatever they are wanted by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final, LiteralString

from eventlog.feed import Feed, Statement

DIMENSIONS: Mapping[str, LiteralString] = MappingProxyType(
    {
        "thread": "thread",
        "tenant": "tenant",
        "principal": "principal",
        "model": "model",
        "tool": "tool",
        "day": "to_char(day, 'YYYY-MM-DD')",
        "month": "to_char(day, 'YYYY-MM')",
    }
)
"""What sums can be wanted by, and how the database says it."""

_SUMS: Final[LiteralString] = """
  coalesce(sum(calls) FILTER (WHERE model IS NOT NULL), 0)::bigint,
  coalesce(sum(failures) FILTER (WHERE model IS NOT NULL), 0)::bigint,
  coalesce(sum(calls) FILTER (WHERE tool IS NOT NULL), 0)::bigint,
  coalesce(sum(failures) FILTER (WHERE tool IS NOT NULL), 0)::bigint,
  coalesce(sum(unknown), 0)::bigint,
  coalesce(sum(input_tokens), 0)::bigint,
  coalesce(sum(output_tokens), 0)::bigint,
  coalesce(sum(cache_read_tokens), 0)::bigint,
  coalesce(sum(cache_write_tokens), 0)::bigint,
  coalesce(sum(cost_usd), 0),
  count(*) FILTER (WHERE cost_usd IS NULL),
  coalesce(sum(duration_ms), 0)::bigint
"""


class NoSuchDimension(ValueError):
    """Sums cannot be had by this; the message says by what."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What was used, altogether."""

    model_calls: int
    """Replies."""
    model_failures: int
    """Attempts without a reply."""
    tool_calls: int
    """Calls that returned."""
    tool_failures: int
    """Attempts that failed."""
    tool_unknown: int
    """Calls of which nobody knows whether they took effect."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost: Decimal
    """US dollars, of the calls whose price is known."""
    unpriced: int
    """Replies whose price is not known: they were not free."""
    duration_ms: int
    """Of replies and of calls that returned, added up, though they may have run side by side."""


@dataclass(frozen=True, slots=True)
class Line:
    """The sums of one group."""

    keys: tuple[str | None, ...]
    """One for each dimension; None where it does not apply, as the model of a tool's call."""
    sums: Sums


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted of the ledger."""

    by: Sequence[str] = ()
    """Names of `DIMENSIONS`. Raises `NoSuchDimension` for others."""
    thread: str | None = None
    tenant: str | None = None
    principal: str | None = None
    since: date | None = None
    """The first day, in UTC."""
    until: date | None = None
    """The last day, in UTC."""

    def __post_init__(self) -> None:
        for name in self.by:
            if name not in DIMENSIONS:
                raise NoSuchDimension(f"usage cannot be told by {name!r}, only by {', '.join(DIMENSIONS)}")


@dataclass(frozen=True, slots=True)
class Report:
    """The answer."""

    lines: Sequence[Line]
    """In the order of their keys."""
    total: Sums


async def ask(feed: Feed, question: Question) -> Report:
    """Put the question. Raises `LogUnavailable`."""
    lines = [Line(row[: len(question.by)], Sums(*row[len(question.by) :])) for row in await feed.ask(_query(question))]
    [total] = await feed.ask(_query(question, total=True))
    return Report(lines, Sums(*total))


def _query(question: Question, *, total: bool = False) -> Statement:
    conditions, parameters = zip(*_conditions(question), strict=True)
    keys: list[LiteralString] = [] if total else [DIMENSIONS[name] for name in question.by]
    grouped: LiteralString = f"GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else ""
    columns: LiteralString = ", ".join([*keys, _SUMS])
    where: LiteralString = " AND ".join(conditions)
    query = f"SELECT {columns} FROM perdure.ledger WHERE {where} {grouped}"  # noqa: S608 - all of it stands in this file
    return Statement(query, tuple(parameters))


def _conditions(question: Question) -> Iterator[tuple[LiteralString, object]]:
    """Each with its parameter; what was not asked for holds always."""
    yield "thread = coalesce(%s::text, thread)", question.thread
    yield "tenant = coalesce(%s::text, tenant)", question.tenant
    yield "principal = coalesce(%s::text, principal)", question.principal
    yield "day >= coalesce(%s::date, '-infinity')", question.since
    yield "day <= coalesce(%s::date, 'infinity')", question.until
