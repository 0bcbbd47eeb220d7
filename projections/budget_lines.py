"""What happened to budgets, in words: for the timeline."""

from eventlog.events import BudgetExceeded, BudgetRaised, BudgetWarned
from eventlog.raises import Raise
from projections.budget_question import named, of_account, reached


def exceeded_line(event: BudgetExceeded) -> str:
    """A limit that is reached, in one line."""
    if event.question is not None:
        return f"asks for more: {event.question}"
    return reached(event).replace(" was reached", " is reached").replace(" had no room", " has no room")


def warned_line(event: BudgetWarned) -> str:
    """A part of a limit that is used, in one line."""
    used = f"{event.used:g} of {event.allowed:g}"
    return f"{event.share:.0%} of the limit on {named(event.limit)}{of_account(event.account)} is used: {used}"


def raised_line(event: BudgetRaised) -> str:
    """What somebody allowed, in one line."""
    where = " elsewhere" if event.elsewhere else ""
    return f"allowed more{where}: {amounts(event.more)}{of_account(event.account)}"


def amounts(more: Raise) -> str:
    """What was allowed, in words."""
    given = more.model_dump(exclude={"tools", "unpriced"}, exclude_none=True)
    parts = [f"{amount:g} {named(name)}" for name, amount in given.items()]
    parts += [f"{count} calls of {tool}" for tool, count in more.tools.items()]
    parts += ["models of unknown price"] if more.unpriced else []
    return ", ".join(parts)
