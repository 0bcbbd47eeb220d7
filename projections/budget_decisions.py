"""Which facts requests about budgets make: a limit that is reached, and what people say to that."""

from eventlog.events import BudgetExceeded, BudgetRaised, BudgetRefused
from projections import budget_question
from projections.process_requests import Trip
from projections.requests import RaiseBudget
from projections.session import Session

SHARED = ("cost", "tokens", "calls")
"""What a budget that threads share may limit."""


def tripped(session: Session, request: Trip) -> BudgetExceeded:
    """A limit of the thread's own is reached. Nothing that a cheaper model does would help, so that is an end too."""
    asks = session.limits.at_limit == "ask"
    exceeded = BudgetExceeded(limit=request.limit, allowed=request.allowed, used=request.used, tool=request.tool)
    if not asks:
        return exceeded.model_copy(update={"orderly": True})
    question = f"May it use more? {budget_question.reached(exceeded)}"
    asking = {"action": "ask", "question": question, "raised_by": session.limits.raised_by}
    return exceeded.model_copy(update=asking)


def not_raisable(session: Session, request: RaiseBudget) -> str | None:
    """Why somebody cannot raise a budget, or refuse to, so; None where they can."""
    question = session.budget
    patterns = session.limits.raised_by if question is None else question.raised_by
    if not budget_question.may_raise(patterns, request.by):
        return f"{request.by} may not answer for this budget: {', '.join(patterns)} may"
    if request.refuse:
        return None if question is not None else "nobody is asked for more"
    if not request.amounts.model_dump():
        return 'say how much more, as in {"amounts": {"cost": 5}}'
    if request.elsewhere is not None and (question is None or question.account != request.elsewhere):
        return "it does not wait for that budget"
    if question is None or question.account is None:
        return budget_question.not_raisable(session.limits, request.amounts)
    given = set(request.amounts.model_dump())
    return (
        None if given == {question.limit} else f"it is asked for more {question.limit}: say how much, and nothing else"
    )


def answered(session: Session, request: RaiseBudget) -> BudgetRaised | BudgetRefused:
    """What somebody says to a question, or allows before anybody asks."""
    if request.refuse:
        return BudgetRefused(by=request.by, reason=request.reason or "no reason was given")
    account = session.budget.account if session.budget is not None else None
    elsewhere = request.elsewhere is not None
    return BudgetRaised(
        more=request.amounts, by=request.by, reason=request.reason, account=account, elsewhere=elsewhere
    )


def expired() -> BudgetRefused:
    """What nobody's answer says."""
    return BudgetRefused(by="nobody", reason="nobody answered in time")
