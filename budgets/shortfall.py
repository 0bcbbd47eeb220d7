"""Where there is no more: which limit says so, what follows from it, and what a person is asked. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from budgets.account import Line
from budgets.budget import Budget
from eventlog.events import BudgetExceeded, BudgetWarned
from eventlog.terms import AtLimit, LimitName, Limits
from projections.budget_question import reached
from projections.spending import Spending

STRICTEST: Sequence[AtLimit] = ("end", "ask", "degrade")
"""What counts where several budgets have no room."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A limit without room for the next call."""

    exceeded: BudgetExceeded
    at_limit: AtLimit
    """What its author wants to follow."""
    cheaper: str | None = None
    """The model that is to go on, where that is wanted."""
    raised_by: tuple[str, ...] = ()
    """Who may allow more; anybody where it names none."""


def of_thread(limits: Limits, spending: Spending, cost: Decimal, ahead: Decimal) -> Shortfall | None:
    """Whether a call that may cost so much does not fit the thread's own limit, beside what others may use just now."""
    cap, used = spending.limits.cost, spending.spent + ahead
    if cap is None or used + cost <= cap:
        return None
    exceeded = BudgetExceeded(limit="cost", allowed=float(cap), used=float(used), needed=float(cost))
    return Shortfall(exceeded, limits.at_limit, limits.degrade_to, limits.raised_by)


def of_unknown_price(limits: Limits, spending: Spending, shared: Sequence[Budget]) -> Shortfall | None:
    """Whether there is a limit on cost to which nobody can say whether a call fits."""
    caps = [(spending.limits.cost, limits.raised_by), *((each.cost, each.raised_by or ()) for each in shared)]
    known = [(cap, raisers) for cap, raisers in caps if cap is not None]
    if not known or spending.unpriced:
        return None
    cap, raisers = known[0]
    exceeded = BudgetExceeded(limit="cost", allowed=float(cap), used=float(spending.spent), unpriced=True)
    return Shortfall(exceeded, "ask", raised_by=raisers)


def of_budgets(shared: Sequence[Budget], lines: Sequence[Line]) -> Shortfall | None:
    """The strictest of the shared budgets that have no room, if any."""
    refused = [_of_line(budget, line) for line in lines if line.refused for budget in shared if _belongs(line, budget)]
    return min(refused, key=lambda each: STRICTEST.index(each.at_limit), default=None)


def asking(shortfall: Shortfall, model: str, expires_at: datetime) -> BudgetExceeded:
    """The event that puts it to a person."""
    exceeded = shortfall.exceeded
    question = (
        f"May it ask {model}, whose price is not known? What that costs will not be counted."
        if exceeded.unpriced
        else f"May it use more? {reached(exceeded)}"
    )
    asked = {"action": "ask", "question": question, "raised_by": shortfall.raised_by, "expires_at": expires_at}
    return exceeded.model_copy(update=asked)


def passed(spending: Spending) -> Iterator[BudgetWarned]:
    """The parts of the thread's own limits that are used by now, and of which nothing was said yet."""
    limits = spending.limits
    amounts: dict[LimitName, tuple[float | None, float]] = {
        "cost": (None if limits.cost is None else float(limits.cost), float(spending.spent)),
        "tokens": (limits.tokens, spending.tokens),
    }
    for limit, (allowed, used) in amounts.items():
        for share in limits.warn_at:
            if allowed is not None and used >= share * allowed and (limit, share) not in spending.warned:
                yield BudgetWarned(limit=limit, share=share, allowed=allowed, used=used)


def warnings(lines: Sequence[Line]) -> Iterator[BudgetWarned]:
    """The parts of shared budgets that a call has passed."""
    for line in lines:
        if line.warned is not None:
            account = line.claim.account
            yield BudgetWarned(
                limit=account.measure,
                share=float(line.warned),
                allowed=float(line.allowed),
                used=float(line.balance.used),
                account=account.name,
            )


def _of_line(budget: Budget, line: Line) -> Shortfall:
    account = line.claim.account
    exceeded = BudgetExceeded(
        limit=account.measure,
        allowed=float(line.allowed),
        used=float(line.balance.used),
        needed=float(line.claim.amount),
        account=account.name,
    )
    return Shortfall(exceeded, budget.at_limit, budget.degrade_to, budget.raised_by or ())


def _belongs(line: Line, budget: Budget) -> bool:
    return line.claim.account.budget == budget.id
