"""Rules about budgets: what people say of them answers a question, and what is limited stays below it."""

from collections.abc import Iterator

from eventlog.events import BudgetRaised, BudgetRefused, ToolExecutionRequested
from projections.invariants.invariant import Invariant, Moment


class BudgetsAreAnsweredOnce(Invariant):
    """More of a shared budget is allowed, or refused, only where somebody is asked; of a thread's own at any time.

    What was raised elsewhere adds nothing here, and may come when the question has just been answered.
    """

    def breaks(self, moment: Moment) -> Iterator[str]:
        """An answer to nothing."""
        question = moment.before.budget
        match event := moment.recorded.event:
            case BudgetRefused() if question is None:
                yield f"{event.by} refuses more, though nobody is asked for it"
            case BudgetRaised(account=str() as account, elsewhere=False) if (
                question is None or question.account != account
            ):
                yield f"{event.by} allows more of {account}, of which nobody was asked"
            case _:
                pass


class ToolLimitsHold(Invariant):
    """No tool is begun of which more calls were asked for than it may have."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """One too many."""
        session, event = moment.before, moment.recorded.event
        if not isinstance(event, ToolExecutionRequested):
            return
        allowed, wanted = session.limits.tools.get(event.tool_name), session.calls_of.get(event.tool_name, 0)
        if allowed is not None and wanted > allowed:
            yield f"{event.tool_name} begins although {wanted} calls of {allowed} have been asked for"
