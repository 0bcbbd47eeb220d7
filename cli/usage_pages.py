"""Usage and prices, as JSON, as CSV and on a page."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.visible import visible
from ledger.alerts import UsageAlert
from ledger.report import Question, Report, Sums
from llm.pricing import BUILT_IN, Known, LongRates, Price, PriceList, ToolPrice

NONE = "—"
"""Where a dimension does not apply: the model of a tool's call."""
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def sums_json(sums: Sums) -> dict[str, Any]:
    """Sums under the keys they have for scripts."""
    told = asdict(sums)
    return {"cost_usd" if name == "cost" else name: value for name, value in told.items()}


def usage_json(question: Question, report: Report, behind: int) -> dict[str, Any]:
    """The whole answer."""
    return {
        "by": list(question.by),
        "from": question.since,
        "to": question.until,
        "lines": [{**dict(zip(question.by, line.keys, strict=True)), **sums_json(line.sums)} for line in report.lines],
        "total": sums_json(report.total),
        "behind": behind,
    }


def usage_csv(question: Question, report: Report) -> str:
    """One row for each line, with exact amounts; without a total, which is for the reader to make."""
    text = StringIO()
    columns = list(sums_json(report.total))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*question.by, *columns])
    for line in report.lines:
        keys = ["" if key is None else _harmless(key) for key in line.keys]
        sums = sums_json(line.sums)
        writer.writerow([*keys, *(format(sums[name], "f") if name == "cost_usd" else sums[name] for name in columns)])
    return text.getvalue()


def _harmless(name: str) -> str:
    """A name that no spreadsheet takes for a formula: a model may have made it up."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name


def usage_page(page: Console, question: Question, report: Report) -> None:
    """The lines, and what they come to."""
    if not report.lines:
        page.print(Text("nothing was used", style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in question.by:
        table.add_column(name, overflow="fold")
    for name in ("replies", "tool calls", "failed", "input", "output", "cache read", "cache write", "cost"):
        table.add_column(name, justify="right")
    for line in report.lines:
        table.add_row(*(Text(visible(key or NONE)) for key in line.keys), *_cells(line.sums))
    if question.by and len(report.lines) > 1:
        table.add_row(*("total", *("" for _ in question.by[1:])), *_cells(report.total), style="bold")
    page.print(table)


def _cells(sums: Sums) -> Iterable[str]:
    counts = (sums.model_calls, sums.tool_calls, sums.model_failures + sums.tool_failures + sums.tool_unknown)
    yield from (f"{count:,}" if count else "" for count in counts)
    yield from (f"{count:,}" if (count := getattr(sums, name)) else "" for name in _TOKENS)
    yield money(sums)


def money(sums: Sums) -> str:
    """What is known of the cost, and how many calls that leaves out."""
    known = f"${sums.cost:,.4f}"
    if not sums.unpriced:
        return known
    unpriced = f"{sums.unpriced:,} unpriced"
    return f"{known} + {unpriced}" if sums.cost else unpriced


# -- prices ----------------------------------------------------------------------------------------


def listed_json() -> dict[str, Any]:
    """Where our own list is from."""
    listed = PriceList.read(BUILT_IN)
    return {"as_of": listed.as_of, "source": listed.source}


def price_json(kind: str, known: Known, day: date) -> dict[str, Any]:
    """All prices of one name, and which of them holds on a day."""
    return {
        "kind": kind,
        "name": known.name,
        "own": known.own,
        "holds": _rates(known.on(day)),
        "prices": [_rates(price) for price in known.prices],
    }


def _rates(price: Price | ToolPrice | None) -> dict[str, Any] | None:
    return None if price is None else price.model_dump(by_alias=True, exclude_none=True, mode="python")


def prices_page(page: Console, lines: Sequence[tuple[str, Known]], day: date) -> None:
    """A line for each price, those that hold on the day in bold."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("name", overflow="fold", min_width=4)
    table.add_column("from", no_wrap=True)
    table.add_column("input", justify="right", no_wrap=True)
    for name in ("output", "cache read", "cache write", "long from"):
        table.add_column(name, justify="right")
    table.add_column("said by")
    for _, known in lines:
        for price in known.prices:
            style = "bold" if price is known.on(day) else "dim"
            since = "always" if price.since is None else price.since.isoformat()
            cells = _price_cells(price)
            table.add_row(
                Text(visible(known.name)), since, *cells, "your file" if known.own else "Perdure", style=style
            )
    page.print(table)
    listed = listed_json()
    page.print(Text(f"Perdure's are list prices as of {listed['as_of']}: {listed['source']}", style="dim"))


def _price_cells(price: Price | ToolPrice) -> Sequence[str]:
    if isinstance(price, ToolPrice):
        return (f"${price.call}/call", "", "", "", "")
    rates = (f"${each}" for each in (price.input, price.output, price.cache_read, price.cache_write))
    return (*rates, _long(price.long))


def _long(rates: LongRates | None) -> str:
    return f"{rates.above:,} tokens" if rates else ""


# -- alerts ----------------------------------------------------------------------------------------


def alert_json(at: datetime, alert: UsageAlert) -> dict[str, Any]:
    """An alert, and when it was given."""
    return {"at": at, **alert.model_dump(exclude={"version"})}


def alerts_page(page: Console, alerts: Sequence[tuple[datetime, UsageAlert]]) -> None:
    """A line for each, in the order in which they were given."""
    if not alerts:
        page.print(Text("no alert was given", style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("at", "alert", "period", "of", "used", "limit"):
        table.add_column(name, justify="right" if name in {"used", "limit"} else "left", overflow="fold")
    for at, alert in alerts:
        whose = " / ".join(each for each in (alert.tenant, alert.principal) if each) or "all"
        amounts = (_amount(alert, each) for each in (alert.used, alert.limit))
        table.add_row(f"{at.astimezone():%Y-%m-%d %H:%M:%S}", alert.alert, alert.period, Text(visible(whose)), *amounts)
    page.print(table)


def _amount(alert: UsageAlert, number: Decimal) -> str:
    return f"${number:,.4f}" if alert.measure == "cost" else f"{number:,.0f} {alert.measure}"
