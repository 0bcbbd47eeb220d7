"""Budgets at work: what a thread and a tenant may use, and what happens where there is no more."""

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.views import Views
from bootstrap import open_book, purse_of
from budgets.account import Account
from budgets.postgres import PostgresBook
from eventlog.events import (
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    BudgetWarned,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    ModelChanged,
    PolicyDecided,
    RequestIgnored,
    SessionCompleted,
    ToolExecutionRequested,
)
from eventlog.log import LogMisconfigured
from eventlog.postgres import PostgresEventLog
from llm.pricing import Prices
from projections.fold import fold
from projections.session import Session
from projections.spending import SPENDING
from projections.transcript import TRANSCRIPT, render
from settings import Settings
from stack.scripted.answers import Broken, Fault, MidStreamError, Reply
from tests.conftest import Database
from tests.workflow.conftest import Play
from tests.workflow.hands import launch, look
from tests.workflow.world import World

RATES = {"input": "10", "output": "10", "cache_read": "10", "cache_write": "10"}
TEN_CENTS = {
    "input_tokens": 10_000,
    "output_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
}
MODEL = {"name": "scripted-1", "max_tokens": 1000}


@pytest.fixture
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten dollars a million tokens for the model, a tenth of it for a cheaper one, a quarter for each look."""
    file = tmp_path_factory.mktemp("prices") / "prices.json"
    cheap = dict.fromkeys(RATES, "1")
    later = {**RATES, "from": "2999-01-01"}
    models = {"scripted-1": RATES, "scripted-cheap": cheap, "scripted-mystery": later}
    file.write_text(json.dumps({"models": models, "tools": {"launch": {"call": "0.25"}}}))
    return file


@pytest.fixture
def budgets(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a file of budgets."""
    file = tmp_path_factory.mktemp("budgets") / "budgets.yaml"

    def write(line: str) -> Path:
        file.write_text(f"budgets:\n  - {{{line}}}\n")
        return file

    return write


@pytest.fixture
async def book(database: Database) -> AsyncIterator[PostgresBook]:
    """The accounts, looked at from outside."""
    async with PostgresEventLog.connect(database.url) as log:
        yield PostgresBook(log.statements)


def dime(word: str = "a") -> Reply:
    """A reply that costs ten cents and wants to go on."""
    return Reply.tools(("look", {"word": word})).costing(**TEN_CENTS)


def done() -> Reply:
    """The last word, for ten cents."""
    return Reply.text("done").costing(**TEN_CENTS)


def of(events: Any, kind: type[Any]) -> list[Any]:
    """The events of a kind."""
    return [event for event in events if isinstance(event, kind)]


def is_asked(session: Session) -> bool:
    """Whether a person is asked about a budget."""
    return session.budget is not None


async def stands(book: PostgresBook, world: World, thread: str) -> dict[str, tuple[Decimal, Decimal]]:
    """What is spent and set aside, by measure, in the month in which the thread began."""
    started = (await world.events(thread))[0]
    periods = [f"{started.started_at:%Y-%m}", f"{started.started_at:%Y-%m-%d}"]  # type: ignore[union-attr]
    return {Account.of(each.account).measure: (each.spent, each.held) for each in await book.balances(periods)}


async def test_a_thread_ends_before_it_costs_more_than_it_may(play: Play, prices: Path) -> None:
    """A call that might go beyond the limit is not made; the summary says what was reached and done."""
    world = await play({"go": [dime("a"), dime("b"), dime("c")]}, [look], prices_file=prices)
    handle = await world.start("go", limits={"cost": "0.25"}, model=MODEL)
    assert (await world.done(handle))["reason"] == "limit"
    events = await world.events(handle.id)
    [exceeded] = of(events, BudgetExceeded)
    assert (exceeded.limit, exceeded.allowed, exceeded.used, exceeded.action) == ("cost", 0.25, 0.2, "end")
    assert exceeded.used + exceeded.needed > 0.25
    assert len(world.model.requests) == 2
    [ended] = of(events, SessionCompleted)
    assert "the limit on cost had no room for" in ended.summary
    assert "0.2 of 0.25; it had come to 2 turns, 2 tool calls and 20,000 tokens" in ended.summary
    for asked, replied in zip(of(events, LLMCallRequested), of(events, LLMResponseReceived), strict=True):
        assert asked.reserved_usd >= replied.cost_usd


async def test_a_person_may_allow_more(play: Play, prices: Path) -> None:
    """The thread waits, with a question; more is allowed, and it goes on from where it was."""
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices)
    handle = await world.start("go", limits={"cost": "0.15", "at_limit": "ask"}, model=MODEL)
    session = await world.until(handle.id, is_asked)
    assert session.status == "waiting"
    [waiting] = await handle.query("pending")
    assert waiting["question"].startswith("May it use more? the limit on cost had no room for")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("raise", {"amounts": {"calls": 1}, "by": "ana"})
    assert "no limit on calls" in str(refused.value.cause)
    await handle.execute_update("raise", {"amounts": {"cost": 1}, "by": "ana", "reason": "it is worth it"})
    assert (await world.done(handle))["reason"] == "success"
    events = await world.events(handle.id)
    [raised] = of(events, BudgetRaised)
    assert (raised.by, raised.more.cost, raised.account) == ("ana", 1, None)
    assert len(world.model.requests) == 2


async def test_a_person_may_say_no(play: Play, prices: Path) -> None:
    """Then the thread ends at its limit, cleanly."""
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices)
    handle = await world.start("go", limits={"cost": "0.15", "at_limit": "ask"}, model=MODEL)
    await world.until(handle.id, is_asked)
    await handle.signal("raise", {"refuse": True, "by": "ana", "reason": "too dear"})
    assert (await world.done(handle))["reason"] == "limit"
    [refused] = of(await world.events(handle.id), BudgetRefused)
    assert (refused.by, refused.reason) == ("ana", "too dear")


async def test_nobodys_answer_is_a_no(play: Play, prices: Path) -> None:
    """A question about a budget waits as long as other questions of its thread do."""
    world = await play({"go": [done()]}, prices_file=prices)
    limits = {"cost": "0.01", "at_limit": "ask"}
    handle = await world.start("go", limits=limits, model=MODEL, approval_timeout=0.3)
    assert (await world.done(handle))["reason"] == "limit"
    [refused] = of(await world.events(handle.id), BudgetRefused)
    assert (refused.by, refused.reason) == ("nobody", "nobody answered in time")
    assert world.model.requests == []


async def test_only_those_who_may_allow_more(play: Play, prices: Path) -> None:
    """Anybody else leaves a record, and changes nothing."""
    world = await play({"go": [done()]}, prices_file=prices)
    limits = {"cost": "0.01", "at_limit": "ask", "raised_by": ["fin-*"]}
    handle = await world.start("go", limits=limits, model=MODEL)
    await world.until(handle.id, is_asked)
    await handle.signal("raise", {"amounts": {"cost": 1}, "by": "ana"})
    await handle.signal("raise", {"amounts": {"cost": 1}, "by": "fin-bob"})
    assert (await world.done(handle))["reason"] == "success"
    events = await world.events(handle.id)
    [ignored], [raised] = of(events, RequestIgnored), of(events, BudgetRaised)
    assert "ana may not answer for this budget: fin-* may" in ignored.problem
    assert raised.by == "fin-bob"


async def test_a_cheaper_model_goes_on(play: Play, prices: Path) -> None:
    """From the limit on the cheaper one is asked, until not even that fits."""
    world = await play({"go": [dime("a"), dime("b"), done()]}, [look], prices_file=prices)
    limits = {"cost": "0.2", "at_limit": "degrade", "degrade_to": "scripted-cheap"}
    handle = await world.start("go", limits=limits, model=MODEL)
    assert (await world.done(handle))["reason"] == "success"
    assert [request.json["model"] for request in world.model.requests] == [
        "scripted-1",
        "scripted-cheap",
        "scripted-cheap",
    ]
    recorded = await world.recorded(handle.id)
    [changed] = of([each.event for each in recorded], ModelChanged)
    assert (changed.model.name, changed.previous, changed.model.max_tokens) == ("scripted-cheap", "scripted-1", 1000)
    for asked in of([each.event for each in recorded], LLMCallRequested):
        shown = fold(TRANSCRIPT, recorded[: asked.at + 1])
        assert render(shown, ()).terms == asked.model, "what was shown can be shown again from the log up to there"


async def test_an_unknown_price_is_never_free(play: Play, prices: Path) -> None:
    """Where cost is limited, a person is asked before a model of unknown price; if they agree, it is asked."""
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices)
    handle = await world.start("go", limits={"cost": "5"}, model={**MODEL, "name": "scripted-mystery"})
    await world.until(handle.id, is_asked)
    [waiting] = await handle.query("pending")
    assert "scripted-mystery, whose price is not known" in waiting["question"]
    assert world.model.requests == []
    await handle.execute_update("raise", {"amounts": {"unpriced": True}, "by": "ana"})
    assert (await world.done(handle))["reason"] == "success"
    assert len(of(await world.events(handle.id), BudgetExceeded)) == 1


@pytest.mark.parametrize(
    ("limits", "more", "question"),
    [
        ({"turns": 1}, {"turns": 5}, "the limit on turns was reached: 1 of 1"),
        ({"tokens": 5000}, {"tokens": 50_000}, "the limit on tokens was reached: 10000 of 5000"),
        ({"tools": {"look": 1}}, {"tools": {"look": 1}}, "the limit on calls of look was reached: 2 of 1"),
    ],
)
async def test_other_limits_can_ask_too(
    play: Play, limits: dict[str, Any], more: dict[str, Any], question: str
) -> None:
    """What is raised holds from then on, and the session goes on as if it had always held."""
    twice = Reply.tools(("look", {"word": "a"}), ("look", {"word": "b"})).costing(**TEN_CENTS)
    world = await play({"go": [twice, done()]}, [look])
    handle = await world.start("go", limits={**limits, "at_limit": "ask"})
    session = await world.until(handle.id, is_asked)
    assert session.budget is not None
    assert session.budget.text == f"May it use more? {question}"
    assert session.budget.expires_at is not None
    await handle.execute_update("raise", {"amounts": more, "by": "ana"})
    assert (await world.done(handle))["reason"] == "success"
    assert len(of(await world.events(handle.id), ToolExecutionRequested)) == 2


async def test_one_tools_calls_are_limited(play: Play) -> None:
    """The call beyond the limit is not run."""
    world = await play({"go": [dime("a"), dime("b"), done()]}, [look])
    handle = await world.start("go", limits={"tools": {"look": 1}})
    assert (await world.done(handle))["reason"] == "limit"
    events = await world.events(handle.id)
    assert len(of(events, ToolExecutionRequested)) == 1
    [exceeded] = of(events, BudgetExceeded)
    assert (exceeded.limit, exceeded.tool, exceeded.allowed, exceeded.used) == ("tool", "look", 1, 2)


async def test_part_of_a_limit_is_told_once(play: Play, prices: Path) -> None:
    """Each share of the thread's own limits that is used is an event, once."""
    world = await play({"go": [dime("a"), dime("b"), dime("c"), done()]}, [look], prices_file=prices)
    limits = {"cost": "0.60", "tokens": 1_000_000, "warn_at": [0.3, 0.5]}
    handle = await world.start("go", limits=limits, model=MODEL)
    assert (await world.done(handle))["reason"] == "success"
    warned = of(await world.events(handle.id), BudgetWarned)
    assert [(each.limit, each.share, each.used, each.allowed) for each in warned] == [
        ("cost", 0.3, 0.2, 0.6),
        ("cost", 0.5, 0.3, 0.6),
    ]


async def test_without_a_budget_nothing_is_paid(play: Play, prices: Path, book: PostgresBook) -> None:
    """No event of budgets, no field of theirs in the others, and no account."""
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices)
    handle = await world.start("go", model=MODEL)
    await world.done(handle)
    recorded = await world.recorded(handle.id)
    assert not any(each.event.type.startswith("Budget") for each in recorded)
    assert all(each.reserved_usd is None for each in of([each.event for each in recorded], LLMCallRequested))
    assert await stands(book, world, handle.id) == {}


async def test_a_tenants_threads_share_a_budget(
    play: Play, prices: Path, budgets: Callable[[str], Path], book: PostgresBook
) -> None:
    """What one has spent the other cannot; who may allow more does, for both; all is settled in the end."""
    file = budgets("id: acme, each: tenant, per: month, tenants: acme, cost: 0.25, warn_at: 0.5, raised_by: fin-*")
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices, budgets=file)
    first = await world.start("go", model=MODEL, tenant="acme")
    assert (await world.done(first))["reason"] == "success"
    assert await stands(book, world, first.id) == {"cost": (Decimal("0.2"), Decimal(0))}
    [warned] = of(await world.events(first.id), BudgetWarned)
    assert (warned.share, warned.allowed, Account.of(warned.account).tenant) == (0.5, 0.25, "acme")
    second = await world.start("go", model=MODEL, tenant="acme")
    session = await world.until(second.id, is_asked)
    assert session.budget is not None
    assert "the limit on cost of acme for acme in" in session.budget.text
    with pytest.raises(WorkflowUpdateFailedError):
        await second.execute_update("raise", {"amounts": {"cost": 1}, "by": "ana"})
    await second.execute_update("raise", {"amounts": {"cost": 1}, "by": "fin-eve"})
    assert (await world.done(second))["reason"] == "success"
    other = await world.start("go", model=MODEL, tenant="beta")
    assert (await world.done(other))["reason"] == "success"
    assert await stands(book, world, first.id) == {"cost": (Decimal("0.4"), Decimal(0))}


async def test_who_raises_a_shared_budget_wakes_all_who_wait_for_it(
    play: Play, prices: Path, budgets: Callable[[str], Path], book: PostgresBook
) -> None:
    """One answer is enough for four threads; it counts once, and a fifth, of another tenant, goes on waiting."""
    file = budgets("id: small, each: tenant, per: month, cost: 0.01")
    world = await play({"go": [dime(), done()]}, [look], prices_file=prices, budgets=file)
    waiting = [await world.start("go", model=MODEL, tenant="acme") for _ in range(4)]
    apart = await world.start("go", model=MODEL, tenant="beta")
    for handle in (*waiting, apart):
        await world.until(handle.id, is_asked)
    await waiting[0].execute_update("raise", {"amounts": {"cost": 5}, "by": "ana", "reason": "worth it"})
    assert {(await world.done(handle))["reason"] for handle in waiting} == {"success"}
    raises = {handle.id: of(await world.events(handle.id), BudgetRaised) for handle in waiting}
    assert [len(each) for each in raises.values()] == [1, 1, 1, 1]
    assert [each.elsewhere for [each] in raises.values()] == [False, True, True, True]
    assert {each.reason for [each] in raises.values()} == {"worth it", f"in {waiting[0].id}"}
    account = raises[waiting[0].id][0].account
    [raised] = [each.raised for each in await book.balances([Account.of(account).period]) if each.account == account]
    assert raised == 5
    assert (await world.until(apart.id, is_asked)).budget is not None
    await apart.signal("raise", {"refuse": True, "by": "ana"})
    assert (await world.done(apart))["reason"] == "limit"


async def test_calls_of_models_and_tools_count_together(
    play: Play, budgets: Callable[[str], Path], book: PostgresBook
) -> None:
    """A tool is not run where no call is left, and a principal's budget is theirs alone."""
    file = budgets("id: each, each: principal, per: day, calls: 2")
    twice = Reply.tools(("look", {"word": "a"}), ("look", {"word": "b"}))
    world = await play({"go": [twice, done()]}, [look], budgets=file)
    handle = await world.start("go", principal="ana")
    session = await world.until(handle.id, is_asked)
    assert session.budget is not None
    assert "the limit on calls of each for ana of default in" in session.budget.text
    await handle.execute_update("raise", {"amounts": {"calls": 5}, "by": "ana"})
    assert (await world.done(handle))["reason"] == "success"
    assert len(of(await world.events(handle.id), ToolExecutionRequested)) == 2
    assert await stands(book, world, handle.id) == {"calls": (Decimal(4), Decimal(0))}
    other = await world.start("go", principal="bob")
    await world.until(other.id, is_asked)
    await other.signal("raise", {"refuse": True, "by": "bob"})
    assert (await world.done(other))["reason"] == "limit"


@pytest.mark.parametrize(
    ("failing", "billed"), [(Broken(3), True), (Fault(529), False), (Fault(503), False), (MidStreamError(2), True)]
)
async def test_a_failed_attempt_counts_where_it_may_have_been_billed(
    play: Play,
    prices: Path,
    budgets: Callable[[str], Path],
    book: PostgresBook,
    failing: Broken | Fault | MidStreamError,
    *,
    billed: bool,
) -> None:
    """A stream that broke off counts as it was set aside for, in the thread and for its tenant; a refusal does not."""
    file = budgets("id: acme, each: tenant, per: month, cost: 5")
    world = await play({"go": [[failing, done()]]}, prices_file=prices, budgets=file)
    handle = await world.start("go", model=MODEL, limits={"cost": 5})
    assert (await world.done(handle))["reason"] == "success"
    events = await world.events(handle.id)
    [failed], [asked] = of(events, LLMCallFailed), of(events, LLMCallRequested)
    assert failed.counted_usd == (asked.reserved_usd if billed else 0)
    spending = fold(SPENDING, await world.recorded(handle.id))
    assert spending.spent == Decimal("0.1") + failed.counted_usd
    assert await stands(book, world, handle.id) == {"cost": (spending.spent, Decimal(0))}


async def test_a_price_of_a_tool_counts_and_is_shown_to_policies(
    play: Play, prices: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What a call costs is known to rules and recorded with its intent; it counts against the thread's limit."""
    folder = tmp_path_factory.mktemp("policies")
    (folder / "dear.yaml").write_text("rules:\n  - {id: dear, decision: ask, cost: {more_than: 0.2}, tools: launch}\n")
    launched = Reply.tools(("launch", {"word": "a"}, "call_0")).costing(**TEN_CENTS)
    world = await play({"go": [launched, done()]}, [launch], prices_file=prices, policies=folder)
    handle = await world.start("go", model=MODEL, limits={"cost": "0.4"}, policy="dear")
    await world.until(handle.id, lambda session: bool(session.waiting_for_answer))
    await handle.execute_update("approve", {"call_id": "call_0", "approver": "ana"})
    assert (await world.done(handle))["reason"] == "limit"
    events = await world.events(handle.id)
    [decided] = of(events, PolicyDecided)
    assert decided.rule == "dear"
    [begun], [exceeded] = of(events, ToolExecutionRequested), of(events, BudgetExceeded)
    assert begun.cost_usd == Decimal("0.25")
    assert exceeded.used == 0.35


async def test_threads_that_race_for_the_same_money(
    play: Play, prices: Path, budgets: Callable[[str], Path], book: PostgresBook
) -> None:
    """Eight threads want eighty cents each of two dollars: all of them end, and in all they have not spent more."""
    file = budgets("id: acme, each: tenant, per: month, cost: 2, at_limit: end")
    replies = [dime(str(number)) for number in range(7)]
    world = await play({"go": [*replies, done()]}, [look], prices_file=prices, budgets=file)
    handles = [await world.start("go", model=MODEL, tenant="acme") for _ in range(8)]
    ends = [(await world.done(handle))["reason"] for handle in handles]
    assert "limit" in ends
    replied = [each for handle in handles for each in of(await world.events(handle.id), LLMResponseReceived)]
    spent = sum(each.cost_usd for each in replied)
    assert Decimal(1) < spent <= Decimal(2)
    assert await stands(book, world, handles[0].id) == {"cost": (spent, Decimal(0))}


async def test_budgets_need_their_tables(database: Database, budgets: Callable[[str], Path]) -> None:
    """A worker that could not keep them does not start, and says what is missing."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("drop schema perdure cascade")
    settings = Settings(budgets=budgets("id: acme, each: tenant, per: month, cost: 2"))
    async with PostgresEventLog.connect(database.url) as log:
        with pytest.raises(LogMisconfigured, match=r"stack\.provision"):
            await open_book(settings, log)
        views = Views(log)
        with pytest.raises(ValueError, match="need a book"):
            purse_of(settings, log, views, Prices({}), None)
