"""What stands between a call and the money for it: looked at before the call, put right after it.

A thread's own limits are looked up in its log, for nobody else spends from them. Budgets that threads share are kept in
accounts (`budgets/book.py`). A thread without any of them passes by here without a look at anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from temporalio import activity

from activities.journal import Author, Journal
from activities.steps import InThread, Learned, ModelStep, Tell, ToolStep
from activities.views import Views
from activities.waking import Waker
from budgets.account import Account, Measure
from budgets.book import NOTHING, Book, Hold, Used
from budgets.budget import Budget
from budgets.estimate import Estimate, estimated
from budgets.files import Budgets, claims_of
from budgets.shortfall import Shortfall, asking, of_budgets, of_thread, of_unknown_price, passed, warnings
from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    BudgetRaised,
    LLMCallFailed,
    LLMResponseReceived,
    ModelChanged,
    SessionCompleted,
    SessionStarted,
)
from eventlog.log import LogError
from eventlog.marks import Mark
from eventlog.raises import Raise
from eventlog.streams import StreamName
from llm.errors import ModelError, ModelRefusesRequest
from llm.messages import ModelRequest, TokenUsage
from policy.judge import Judge
from policy.rules import Policy
from projections.budget_question import reached
from projections.evolution import SESSION
from projections.requests import RaiseBudget
from projections.spending import SPENDING, Spending

INTERRUPTED = "the process that asked died before it could say what came of it: it may have been billed"
RAISED_MEANWHILE = "more was allowed while this was asked"


class Prices(Protocol):
    """What calls cost."""

    def cost(self, usage: TokenUsage, model: str) -> Decimal | None:
        """US dollars; None where the model's price is not known."""
        ...

    def cost_of_tool(self, tool: str) -> Decimal:
        """US dollars for one call; nothing where the tool has no price."""
        ...


class _NoPrices:
    """No list of prices: nothing is known of any."""

    def cost(self, usage: TokenUsage, model: str) -> None:  # noqa: ARG002
        return None

    def cost_of_tool(self, tool: str) -> Decimal:  # noqa: ARG002
        return Decimal(0)


NO_PRICES: Prices = _NoPrices()


@dataclass(frozen=True, slots=True)
class Held:
    """What was set aside for one attempt at a call."""

    cost: Decimal | None
    """US dollars; None where the price is not known."""
    id: UUID | None = None
    """Of the hold on shared budgets; None where there are none."""
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that needs money: whose it is, and what it may use at most."""

    step: InThread
    key: str
    """Of the step, as the log's keys begin."""
    mark: int
    """Tells questions about the same step apart."""
    terms: SessionStarted
    author: Author
    spending: Spending
    amounts: Mapping[Measure, Decimal]
    shared: tuple[Budget, ...]
    lost: bool
    """Whether an attempt before may have called."""
    ahead: Decimal = Decimal(0)
    """US dollars for calls that may be made at the same time."""

    @property
    def cost(self) -> Decimal | None:
        """US dollars at most; None where nobody knows."""
        return self.amounts.get("cost")

    @property
    def whose(self) -> tuple[str, str]:
        """The tenant and the principal."""
        return self.terms.tenant, self.terms.principal

    @property
    def of_model(self) -> bool:
        """Whether it is a model that is to be called."""
        return isinstance(self.step, ModelStep)


class Purse:
    """Sets aside, settles, and says where there is no more."""

    def __init__(
        self,
        journal: Journal,
        views: Views,
        prices: Prices,
        budgets: Budgets | None = None,
        book: Book | None = None,
        waker: Waker | None = None,
    ) -> None:
        self._journal = journal
        self._views = views
        self._prices = prices
        self._budgets = budgets
        self._book = book
        self._waker = waker
        """None where other threads are to be left alone."""

    # -- before a call -------------------------------------------------------------------------

    async def before_model(
        self, step: ModelStep, terms: SessionStarted, request: ModelRequest, size: int, author: Author
    ) -> Held | Learned | None:
        """Set aside what the call may use; or what was recorded in its place. None where no budget is touched."""
        shared = self._shared(terms)
        if not shared and terms.limits.cost is None and not terms.limits.warn_at:
            return None
        key = f"model/{step.step}"
        first = activity.info().attempt == 1
        spending = await self._spending(step, step.at if first else None)
        if spending.question_at > step.at and (known := await self._journal.find(step, f"{key}/budget/{step.at}")):
            since = await self._wait(step, key, step.at, known.event, author)
            return Learned(marks=(Mark.of(known.position, known.event), *since))
        declared = spending.declared
        lost = declared is not None and declared.step == step.step
        if declared is not None and lost and declared.open and declared.reserved is not None:
            spending = await self._interrupted(step, spending, declared.reserved, author)
        estimate = estimated(request, size, spending.read, self._prices)
        amounts = _amounts(estimate)
        wanted = Wanted(step, key, step.at, terms, author, spending, amounts, shared, lost=lost or first)
        return await self._set_aside(wanted)

    async def before_tool(
        self, step: ToolStep, terms: SessionStarted, tools: Sequence[str], author: Author, *, begun: bool
    ) -> Held | Learned | None:
        """The same for one attempt at a call of the last of these tools.

        Calls of the others are about to be made at the same time. The thread's own limit must have room for them too:
        so, of any number of calls that are looked at together, those that begin fit it.
        """
        shared, price = self._shared(terms), self._prices.cost_of_tool(tools[-1])
        amounts: dict[Measure, Decimal] = {"calls": Decimal(1), "cost": price}
        shared = tuple(each for each in shared if each.cap("calls") is not None or (price and each.cost is not None))
        if not shared and (not price or terms.limits.cost is None):
            return None
        spending = await self._spending(step, step.at)
        ahead = sum((self._prices.cost_of_tool(tool) for tool in tools[:-1]), Decimal(0))
        key = f"call/{step.step}/{step.call}"
        wanted = Wanted(step, key, spending.answered_at, terms, author, spending, amounts, shared, begun, ahead)
        return await self._set_aside(wanted)

    def price_of(self, tool: str) -> Decimal | None:
        """US dollars that one call of a tool costs; None where it has no price."""
        return self._prices.cost_of_tool(tool) or None

    async def _set_aside(self, wanted: Wanted) -> Held | Learned:
        limits = wanted.terms.limits
        own = (
            of_unknown_price(limits, wanted.spending, wanted.shared)
            if wanted.cost is None
            else of_thread(limits, wanted.spending, wanted.cost, wanted.ahead)
        )
        if own is not None:
            return await self._stop(wanted, own)
        amounts = {measure: amount for measure, amount in wanted.amounts.items() if amount}
        claims = claims_of(wanted.shared, *wanted.whose, datetime.now(UTC), amounts)
        if not claims or self._book is None:
            return Held(wanted.cost)
        hold = Hold(
            self._journal.id_of(wanted.step, f"{wanted.key}/hold"), wanted.step.thread_id, _attempt(), lost=wanted.lost
        )
        lines = await self._book.reserve(hold, claims)
        if (short := of_budgets(wanted.shared, lines)) is not None:
            return await self._stop(wanted, short)
        for event in warnings(lines):
            key = f"{wanted.key}/warned/{event.account}/{event.share:g}"
            await self._journal.settle(wanted.step, key, event, wanted.author)
        return Held(wanted.cost, hold.id, hold.attempt)

    def _shared(self, terms: SessionStarted) -> tuple[Budget, ...]:
        return self._budgets.of(terms.tenant, terms.principal) if self._budgets is not None else ()

    async def _spending(self, step: InThread, least: int | None) -> Spending:
        return (await self._views.read(SPENDING, step.stream, lambda spending: spending, least=least)).value

    async def _interrupted(self, step: ModelStep, spending: Spending, reserved: Decimal, author: Author) -> Spending:
        """Record that an attempt before has asked and was not heard of again; it counts as it was set aside for."""
        event = LLMCallFailed(
            step=step.step,
            kind="interrupted",
            error_message=INTERRUPTED,
            retry_count=spending.failures,
            will_retry=True,
            counted_usd=reserved,
        )
        await self._journal.settle(step, f"model/{step.step}/failure/{spending.failures}", event, author)
        return replace(spending, spent=spending.spent + reserved)

    # -- where there is no more ----------------------------------------------------------------

    async def _stop(self, wanted: Wanted, short: Shortfall) -> Learned:
        """Record what was reached, and what follows from it."""
        key = f"{wanted.key}/budget/{wanted.mark}"
        written = await self._journal.settle(wanted.step, key, self._consequence(wanted, short), wanted.author)
        stands = written.event
        if not isinstance(stands, BudgetExceeded) or stands.action != "degrade" or short.cheaper is None:
            since = await self._wait(wanted.step, wanted.key, wanted.mark, stands, wanted.author)
            return Learned(marks=(written.mark, *since))
        changed = ModelChanged(
            model=wanted.terms.model.model_copy(update={"name": short.cheaper}),
            previous=wanted.terms.model.name,
            reason=reached(stands),
        )
        then = await self._journal.settle(wanted.step, f"{key}/model", changed, wanted.author)
        return Learned(marks=(written.mark, then.mark))

    async def _wait(self, step: InThread, key: str, mark: int, asked: AnyEvent, author: Author) -> tuple[Mark, ...]:
        """Wait for more of a shared budget, with whoever else does; unless there is more since the call was refused."""
        if (
            self._book is None
            or not isinstance(asked, BudgetExceeded)
            or asked.action != "ask"
            or asked.account is None
        ):
            return ()
        account = Account.of(asked.account)
        since = await self._book.wait(self._journal.id_of(step, f"{key}/hold"), account)
        if not since:
            return ()
        more = Raise.model_validate({account.measure: since})
        raised = BudgetRaised(more=more, by="perdure", reason=RAISED_MEANWHILE, account=asked.account, elsewhere=True)
        return ((await self._journal.settle(step, f"{key}/budget/{mark}/raised", raised, author)).mark,)

    def _consequence(self, wanted: Wanted, short: Shortfall) -> BudgetExceeded:
        """A person is asked, a cheaper model goes on where there is one that may, or it is the end."""
        if short.at_limit == "ask":
            expires_at = datetime.now(UTC) + timedelta(seconds=wanted.spending.approval_timeout)
            return asking(short, wanted.terms.model.name, expires_at)
        degrades = short.at_limit == "degrade" and self._may_degrade(wanted, short)
        follows = {"action": "degrade"} if degrades else {"action": "end", "orderly": True}
        return short.exceeded.model_copy(update=follows)

    def _may_degrade(self, wanted: Wanted, short: Shortfall) -> bool:
        """Whether the cheaper model helps: it is another one, its price is known, and the policy allows it."""
        terms, cheaper = wanted.terms, short.cheaper
        if cheaper is None or short.exceeded.limit != "cost" or cheaper == terms.model.name or not wanted.of_model:
            return False
        if self._prices.cost(TokenUsage(), cheaper) is None:
            return False
        return terms.policy is None or Judge(Policy.read(terms.policy)).refuses_model(cheaper, terms.tenant) is None

    # -- after a call --------------------------------------------------------------------------

    async def replied(self, step: ModelStep, held: Held | None, event: LLMResponseReceived, author: Author) -> None:
        """Count what the call did use; say which parts of the thread's own limits are used by now."""
        if held is None:
            return
        used: dict[Measure, Decimal] = {"tokens": Decimal(event.token_usage.total), "calls": Decimal(1)}
        if event.cost_usd is not None:
            used["cost"] = event.cost_usd
        await self._settle(held, used)
        spending = await self._spending(step, step.at)
        for warned in passed(spending):
            key = f"warned/{warned.limit}/{warned.share:g}/{warned.allowed:g}"
            await self._journal.settle(step, key, warned, author)

    async def failed(self, held: Held | None, error: ModelError) -> Decimal | None:
        """What a failed call counts for, in US dollars: it may have been billed. None where there is no budget."""
        if held is None:
            return None
        billed = may_be_billed(error)
        await self._settle(held, {} if billed else NOTHING)
        return held.cost if billed else Decimal(0)

    async def ran(self, held: Held | None) -> None:
        """A tool was run."""
        if held is not None:
            await self._settle(held, {})

    async def never_happened(self, held: Held | None) -> None:
        """The call was not made, and will not be by this attempt."""
        if held is not None:
            await self._settle(held, NOTHING)

    async def told(self, tell: Tell, learned: Learned) -> None:
        """What was asked for is a fact: more of a shared budget, or a thread is over. Told twice it counts once."""
        if self._book is None:
            return
        for mark in learned.marks:
            match mark.event:
                case BudgetRaised(account=str() as name, elsewhere=False) as event:
                    account, given = Account.of(name), event.more.model_dump()
                    id_ = self._journal.id_of(tell, tell.key)
                    await self._book.raise_cap(id_, account, Decimal(given[account.measure]))
                    await self._wake_others(tell, event, account)
                case SessionCompleted():
                    await self._close(tell)

    async def _wake_others(self, tell: Tell, raised: BudgetRaised, account: Account) -> None:
        """Whoever else waits for the same budget looks at it again."""
        if self._book is None or self._waker is None:
            return
        others = [thread for thread in await self._book.waiting(account) if thread != tell.thread_id]
        reason = f"in {tell.thread_id}"
        request = RaiseBudget(amounts=raised.more, by=raised.by, reason=reason, elsewhere=account.name)
        await self._waker.wake(others, request)

    async def _close(self, step: InThread) -> None:
        """What the thread has still set aside counts as used."""
        whose = await self._views.read(
            SESSION, step.stream, lambda session: (session.tenant, session.principal), least=0
        )
        if self._book is not None and self._budgets is not None and self._budgets.of(*whose.value):
            await self._book.close(step.thread_id)

    async def _settle(self, held: Held, used: Used) -> None:
        """Where that fails, what was set aside goes on counting, until the thread ends."""
        if held.id is None or self._book is None:
            return
        try:
            await self._book.settle(held.id, used, held.attempt)
        except LogError as error:
            activity.logger.warning("budget_not_settled", extra={"problem": str(error)})


async def answered_in_time(views: Views, stream: StreamName, event: BudgetExceeded) -> BudgetExceeded:
    """A question with the time until which it waits: as long as questions of this thread do."""
    timeout = await views.read(SPENDING, stream, lambda spending: spending.approval_timeout)
    return event.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(seconds=timeout.value)})


def may_be_billed(error: ModelError) -> bool:
    """Whether a provider may want money for a call that failed: what was refused with a status costs nothing."""
    return not isinstance(error, ModelRefusesRequest) and (error.status is None or error.status < 400)


def _attempt() -> str:
    info = activity.info()
    return f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"


def _amounts(estimate: Estimate) -> Mapping[Measure, Decimal]:
    amounts: dict[Measure, Decimal] = {"tokens": Decimal(estimate.tokens), "calls": Decimal(1)}
    return amounts if estimate.cost is None else {**amounts, "cost": estimate.cost}
