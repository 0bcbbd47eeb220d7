"""How budgets are shown, and what they are under `--json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from budgets.account import MEASURES, Account, Balance, Measure
from budgets.budget import Budget
from budgets.files import Budgets
from cli.visible import visible


@dataclass(frozen=True, slots=True)
class Standing:
    """How one account stands."""

    budget: str
    tenant: str
    principal: str | None
    period: str
    """A day or a month, by UTC."""
    measure: Measure
    """cost (US dollars), tokens or calls"""
    spent: Decimal
    reserved: Decimal
    """Set aside for calls that are under way."""
    cap: Decimal | None
    """What the file allows; None where it no longer has the budget."""
    raised: Decimal
    """Allowed on top by people."""
    left: Decimal | None


def standing(budgets: Budgets, balance: Balance) -> Standing:
    """An account beside what the file allows."""
    account = Account.of(balance.account)
    budget = budgets.named(account.budget)
    cap = None if budget is None else budget.cap(account.measure)
    left = None if cap is None else max(cap + balance.raised - balance.used, Decimal(0))
    return Standing(
        account.budget,
        account.tenant,
        account.principal,
        account.period,
        account.measure,
        balance.spent,
        balance.held,
        cap,
        balance.raised,
        left,
    )


def budget_json(budget: Budget) -> dict[str, Any]:
    """A budget as it is written down."""
    return budget.model_dump(mode="json", exclude_none=True)


def budgets_page(page: Console, budgets: Sequence[Budget]) -> None:
    """One line for each budget."""
    for budget in budgets:
        caps = ", ".join(_amount(measure, cap) for measure in MEASURES if (cap := budget.cap(measure)) is not None)
        then = f"degrade to {budget.degrade_to}" if budget.degrade_to else budget.at_limit
        of = f" ({', '.join((*(budget.tenants or ()), *(budget.principals or ())))})" if _chosen(budget) else ""
        page.print(Text(visible(f"{budget.id}: each {budget.each}{of} may use {caps} a {budget.per}; then {then}")))
    if not budgets:
        page.print(Text("none of the budgets counts for them", style="dim"))


def standings_page(page: Console, standings: Sequence[Standing]) -> None:
    """One row for each account."""
    if not standings:
        page.print(Text("nothing was used", style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("budget", "whose", "period", "of"):
        table.add_column(name, overflow="fold")
    for name in ("spent", "reserved", "allowed", "left"):
        table.add_column(name, justify="right")
    for each in standings:
        whose = each.tenant if each.principal is None else f"{each.tenant} / {each.principal}"
        allowed = None if each.cap is None else each.cap + each.raised
        amounts = (each.spent, each.reserved, allowed, each.left)
        style = "red" if each.left == 0 else ""
        cells = [Text(visible(cell)) for cell in (each.budget, whose, each.period, each.measure)]
        table.add_row(*cells, *(_plain(each.measure, amount) for amount in amounts), style=style)
    page.print(table)


def _chosen(budget: Budget) -> bool:
    return budget.tenants is not None or budget.principals is not None


def _amount(measure: Measure, amount: Decimal) -> str:
    return f"{amount:,} USD" if measure == "cost" else f"{amount:,} {measure}"


def _plain(measure: Measure, amount: Decimal | None) -> str:
    if amount is None:
        return "no longer limited"
    return f"{amount:,.4f}" if measure == "cost" else f"{amount:,f}"
