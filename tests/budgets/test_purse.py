"""What the process before has set aside and never settled, as the attempt finds it that comes after a crash."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from activities.journal import Author, Journal
from activities.purse import Held, Purse
from activities.steps import Learned, ModelStep, Tell, ToolStep
from activities.views import Views
from budgets.account import Account, Claim
from budgets.book import Hold
from budgets.files import Budgets
from budgets.memory import MemoryBook
from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    BudgetRaised,
    BudgetWarned,
    LLMCallFailed,
    LLMCallRequested,
    SessionCompleted,
    SessionStarted,
)
from eventlog.log import Entry
from eventlog.marks import Mark
from eventlog.memory import MemoryEventLog
from eventlog.metadata import Metadata
from eventlog.streams import stream_of, thread_id
from eventlog.terms import Limits
from llm.messages import Message, ModelRequest, TokenUsage, text_block
from projections.process_requests import Close
from projections.session import milliseconds
from tests.projections.facts import MODEL, START, asking, replied, said, started, use

THREAD = thread_id("purse")
STREAM = stream_of(THREAD)
STEP = ModelStep(started_ms=milliseconds(START), step=1, at=1)
TOOL = ToolStep(started_ms=milliseconds(START), step=1, call="a", at=3)
D = Decimal
AUTHOR = Author("acme", "ana")
BUDGETS = Budgets.model_validate(
    {"budgets": [{"id": "day", "each": "tenant", "per": "day", "cost": "1.00", "calls": 3, "warn_at": 0.5}]}
)


class Cents:
    """A model whose every call costs ten cents at most, and a tool that costs five."""

    def cost(self, usage: TokenUsage, model: str) -> Decimal | None:
        """US dollars."""
        del usage
        return D("0.10") if model == MODEL.name else None

    def cost_of_tool(self, tool: str) -> Decimal:
        """US dollars."""
        return D("0.05") if tool == "dear" else D(0)


class Desk:
    """A purse, its log and its accounts."""

    def __init__(self, limits: Limits | None = None, budgets: Budgets | None = BUDGETS) -> None:
        self.log, self.book = MemoryEventLog(), MemoryBook()
        self.views = Views(self.log)
        self.journal = Journal(self.log, self.views)
        self.purse = Purse(self.journal, self.views, Cents(), budgets, self.book)
        self.terms: SessionStarted = started(limits=limits).model_copy(update={"thread_id": THREAD})

    async def write(self, *events: AnyEvent) -> None:
        """Others write."""
        for event in events:
            await self.log.append(STREAM, Entry(uuid4(), event, Metadata(at=START)))

    async def before(self, attempt: int = 1) -> Held | Learned | None:
        """Set aside, as this attempt."""
        messages = (Message(role="user", content=(text_block("hi"),)),)
        request = ModelRequest(terms=self.terms.model, system="", messages=messages, tools=())
        found: Held | Learned | None = await as_attempt(attempt).run(
            self.purse.before_model, STEP, self.terms, request, 100, AUTHOR
        )
        return found

    async def before_tool(self, tool: str, attempt: int = 1, *, begun: bool = False) -> Held | Learned | None:
        """The same for a tool's call."""

        async def look() -> Held | Learned | None:
            return await self.purse.before_tool(TOOL, self.terms, tool.split(), AUTHOR, begun=begun)

        found: Held | Learned | None = await as_attempt(attempt).run(look)
        return found

    async def stands(self) -> dict[str, tuple[Decimal, Decimal]]:
        """What is spent and set aside, by measure."""
        periods = {Account.of(name).period for name in self.book._balances}
        return {
            Account.of(each.account).measure: (each.spent, each.held)
            for each in await self.book.balances(sorted(periods))
        }

    async def events(self) -> list[AnyEvent]:
        """What is in the log."""
        return [each.event async for each in self.log.read(STREAM)]


def as_attempt(number: int) -> ActivityEnvironment:
    """What an activity knows of itself at its nth attempt."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=THREAD, attempt=number)
    return environment


def declared() -> LLMCallRequested:
    """The intent of the attempt that died."""
    return asking(1, 1).model_copy(update={"reserved_usd": D("0.10")})


async def test_a_call_that_was_interrupted_counts() -> None:
    """It was declared and never heard of: in the log it failed, and in the accounts it is spent; the next is held."""
    desk = Desk(Limits(cost=D(5)))
    await desk.write(desk.terms, said("hi"))
    assert isinstance(await desk.before(), Held)
    await desk.write(declared())
    assert isinstance(await desk.before(attempt=2), Held)
    [failed] = [each for each in await desk.events() if isinstance(each, LLMCallFailed)]
    assert (failed.kind, failed.will_retry, failed.counted_usd) == ("interrupted", True, D("0.10"))
    assert await desk.stands() == {"cost": (D("0.10"), D("0.10")), "calls": (D(1), D(1))}


async def test_an_attempt_that_died_before_it_declared_the_call_never_asked() -> None:
    """What it had set aside is what the next one has set aside."""
    desk = Desk()
    await desk.write(desk.terms, said("hi"))
    await desk.before()
    await desk.before(attempt=2)
    assert await desk.stands() == {"cost": (D(0), D("0.10")), "calls": (D(0), D(1))}
    assert not any(isinstance(each, LLMCallFailed) for each in await desk.events())


async def test_a_thread_that_would_pass_its_limit_by_what_was_interrupted_ends() -> None:
    """What may have been billed leaves no room for another try."""
    desk = Desk(Limits(cost=D("0.15")), None)
    await desk.write(desk.terms, said("hi"), declared())
    learned = await desk.before(attempt=2)
    assert isinstance(learned, Learned)
    [mark] = learned.marks
    assert isinstance(mark.event, BudgetExceeded)
    assert (mark.event.used, mark.event.needed, mark.event.action) == (0.1, 0.1, "end")


async def test_a_question_is_put_once() -> None:
    """The attempt after a crash finds the question of the one before, and waits with it."""
    desk = Desk(Limits(cost=D("0.05"), at_limit="ask"), None)
    await desk.write(desk.terms, said("hi"))
    assert await desk.before() == await desk.before(attempt=2)
    assert len([each for each in await desk.events() if isinstance(each, BudgetExceeded)]) == 1


async def test_the_end_of_a_thread_settles_what_nobody_settled() -> None:
    """Steps that were dropped count as they were set aside for."""
    desk = Desk()
    await desk.write(desk.terms, said("hi"))
    await desk.before()
    over = SessionCompleted(completion_reason="terminated", summary="over")
    await desk.write(over)
    tell = Tell(started_ms=STEP.started_ms, key="session/completed", request=Close(reason="terminated", summary=""))
    for _ in range(2):
        await as_attempt(1).run(desk.purse.told, tell, Learned(marks=(Mark.of(2, over),)))
    assert await desk.stands() == {"cost": (D("0.10"), D(0)), "calls": (D(1), D(0))}


async def test_a_tools_attempts_count_each() -> None:
    """One that died in the middle counts, and so does the one after it; a call for which none is left is not made."""
    desk = Desk()
    await desk.write(desk.terms, said("hi"), asking(1, 1), replied(use("a", "dear"), at=1))
    first = await desk.before_tool("dear")
    assert isinstance(first, Held)
    assert isinstance(await desk.before_tool("dear", 2, begun=True), Held)
    assert await desk.stands() == {"cost": (D("0.05"), D("0.05")), "calls": (D(1), D(1))}
    assert isinstance(await desk.before_tool("dear", 3, begun=True), Held)
    refused = await desk.before_tool("dear", 4, begun=True)
    assert isinstance(refused, Learned)
    exceeded = refused.marks[0].event
    assert isinstance(exceeded, BudgetExceeded)
    assert (exceeded.limit, exceeded.action, exceeded.used, exceeded.allowed) == ("calls", "ask", 3, 3)
    warned = [each for each in await desk.events() if isinstance(each, BudgetWarned)]
    assert [(each.limit, each.share) for each in warned] == [("calls", 0.5)]


@pytest.mark.parametrize("tenants", [None, "others"])
async def test_what_no_budget_counts_costs_no_look(tenants: str | None) -> None:
    """A thread without limits on cost reads nothing and writes nothing where no budget is for it."""
    others = BUDGETS.budgets[0].model_copy(update={"tenants": (tenants,)})
    desk = Desk(budgets=None if tenants is None else Budgets(budgets=(others,)))
    assert await desk.before() is None
    assert await desk.before_tool("dear") is None
    assert desk.book._balances == {}
    assert await desk.events() == []


async def test_a_failure_that_others_have_written_is_not_counted_twice() -> None:
    """A call that failed, and whose failure says what it counts for, is not open any more."""
    desk = Desk(Limits(cost=D(5)), None)
    failed = LLMCallFailed(
        step=1, kind="overloaded", error_message="", retry_count=0, will_retry=True, counted_usd=D(0)
    )
    await desk.write(desk.terms, said("hi"), declared(), failed)
    assert isinstance(await desk.before(attempt=2), Held)
    assert len([each for each in await desk.events() if isinstance(each, LLMCallFailed)]) == 1


async def test_calls_of_one_reply_do_not_pass_the_limit_together() -> None:
    """Each must have room beside those that stand before it, which may begin at the same moment."""
    desk = Desk(Limits(cost=D("0.12")), None)
    await desk.write(desk.terms, said("hi"), asking(1, 1), replied(use("a", "dear"), at=1, cost=D(0)))
    assert isinstance(await desk.before_tool("dear"), Held)
    assert isinstance(await desk.before_tool("dear free dear"), Held)
    assert isinstance(await desk.before_tool("dear dear dear"), Learned)


async def test_what_costs_nothing_is_made_though_nothing_is_left() -> None:
    """A call that costs more than was thought leaves a budget overdrawn; tools without a price run all the same."""
    desk = Desk(budgets=Budgets(budgets=(BUDGETS.budgets[0].model_copy(update={"calls": 9}),)))
    await desk.write(desk.terms, said("hi"), asking(1, 1), replied(use("a", "free"), at=1))
    held = await desk.before()
    assert isinstance(held, Held)
    assert held.id is not None
    await desk.book.settle(held.id, {"cost": D(2)})
    assert isinstance(await desk.before_tool("free"), Held)
    assert isinstance(await desk.before_tool("dear", 2), Learned)


async def test_a_raise_that_came_before_the_question_answers_it() -> None:
    """The attempt after a crash finds its question, and that there is more since: nobody is asked in vain."""
    desk = Desk()
    await desk.write(desk.terms, said("hi"))
    day = Account("day", "acme", None, f"{datetime.now(UTC):%Y-%m-%d}", "cost")
    await desk.book.reserve(Hold(uuid4(), "other", "1"), [Claim(day, D("0.95"), D("1.00"))])
    asked = await desk.before()
    assert isinstance(asked, Learned)
    assert [type(each.event) for each in asked.marks] == [BudgetExceeded]
    assert await desk.book.waiting(day) == (THREAD,)
    await desk.book.raise_cap(uuid4(), day, D(2))
    again = await desk.before(attempt=2)
    assert isinstance(again, Learned)
    [_, raised] = [each.event for each in again.marks]
    assert isinstance(raised, BudgetRaised)
    assert (raised.more.cost, raised.account, raised.elsewhere) == (D(2), day.name, True)
    assert await desk.book.waiting(day) == ()
