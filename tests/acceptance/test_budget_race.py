"""Sixty-four threads of one tenant after the same dollar, whose workers are killed in the middle of it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from eventlog.events import LLMCallFailed
from eventlog.feed import Statement
from eventlog.log import Recorded
from ledger.book import Book
from ledger.report import Question, ask
from projections.fold import fold
from projections.invariants.catalogue import breaches
from projections.spending import SPENDING
from stack.scripted.answers import Reply
from stack.scripted.playbook import Step
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Stage, staged
from tests.acceptance.worker_process import PATIENCE
from tests.chaos.verdict import findings, verifying

D = Decimal
THREADS = 64
CAP = D(1)
PRICE = D("0.004")
"""US dollars for each attempt at the tool."""
PRICES = {
    "models": {"scripted-1": dict.fromkeys(("input", "output", "cache_read", "cache_write"), "4")},
    "tools": {"put": {"call": str(PRICE)}},
}
PUT = Reply.tools(("put", {"hold": "before"}, "the-put")).costing(input_tokens=2300)
SLOWLY = Reply.text("word " * 200).at_pace(0.1, chunk=5)
PLAYS: Mapping[str, Sequence[Step]] = {
    "race": [[*[SLOWLY] * 4, PUT], Reply.text("done").costing(input_tokens=2300)],
}
"""All of it would cost half a dollar more than there is."""


async def test_threads_whose_workers_die_share_a_dollar_to_the_cent(servers: Servers, tmp_path: Path) -> None:
    """They have not spent more; none hangs; nothing stays set aside; accounts, ledger and logs say the same."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        tenant, spent = tmp_path.name, list[Decimal]()
        stage.besides.update(_terms(tmp_path, tenant))
        first, second = await asyncio.gather(stage.hire(), stage.hire())
        watching = asyncio.create_task(_watch(stage, tenant, spent))
        begun = {"tenant": tenant, "tools": ["put"], "approval_timeout": 600}
        await asyncio.gather(*(stage.start("race", **begun) for _ in range(THREADS)))
        await _until_tools(stage, "began", 8)
        await first.kill()
        stage.gates.open("the-put")
        await _until_tools(stage, "acted", 8)
        await second.kill()
        await stage.hire()
        outcomes = await asyncio.gather(*(stage.done(handle) for handle in stage.handles))
        watching.cancel()
        assert {outcome["reason"] for outcome in outcomes} <= {"success", "limit"}
        assert "limit" in {outcome["reason"] for outcome in outcomes}
        [(used, held)] = await _account(stage, tenant)
        assert max(*spent, used) <= CAP
        assert (held, list(await _left(stage))) == (D(0), [])
        streams = {handle.id: await stage.recorded(handle.id) for handle in stage.handles}
        by_ledger = await _by_ledger(stage, tenant)
        assert by_ledger == {id_: _by_log(stream) for id_, stream in streams.items() if _by_log(stream)}
        assert sum(by_ledger.values()) + sum(map(_lost, streams.values())) <= used
        assert [breach for stream in streams.values() for breach in breaches(stream)] == []
        async with verifying(stage) as verifier:
            looked_over = stage.handles[:: THREADS // 8]  # each costs a tenth of a second
            assert [each for handle in looked_over for each in await findings(verifier, handle)] == []


def _terms(folder: Path, tenant: str) -> Mapping[str, str]:
    """What workers are told of prices and budgets."""
    prices, budgets = folder / "prices.json", folder / "budgets.yaml"
    prices.write_text(json.dumps(PRICES))
    budget = {"id": "dollar", "each": "tenant", "tenants": [tenant], "per": "month", "cost": 1, "at_limit": "end"}
    budgets.write_text(json.dumps({"budgets": [budget]}))
    return {"PERDURE_PRICES_FILE": str(prices), "PERDURE_BUDGETS": str(budgets), "PERDURE_MAX_TOKENS": "200"}


async def _watch(stage: Stage, tenant: str, spent: list[Decimal]) -> None:
    """Look at the account, again and again."""
    while True:
        spent.extend(used + held for used, held in await _account(stage, tenant))
        await asyncio.sleep(0.2)


async def _account(stage: Stage, tenant: str) -> Sequence[tuple[Decimal, Decimal]]:
    query = "SELECT spent, held FROM perdure.budget_accounts WHERE account::jsonb ->> 1 = %s"
    return [(spent, held) for spent, held in await stage.log.feed.ask(Statement(query, (tenant,)))]


async def _left(stage: Stage) -> Sequence[object]:
    """What is still set aside for the threads, though they are over."""
    threads = [handle.id for handle in stage.handles]
    query = "SELECT hold, lines FROM perdure.budget_holds WHERE thread = ANY(%s::text[])"
    return await stage.log.feed.ask(Statement(query, (threads,)))


async def _until_tools(stage: Stage, what: str, times: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(line.what == what for line in stage.ledger.all()) < times:
            await asyncio.sleep(0.05)


async def _by_ledger(stage: Stage, tenant: str) -> Mapping[str | None, Decimal]:
    """What each thread cost, as `perdure usage` says it, once everything is entered."""
    book = Book(stage.log.feed)
    async with asyncio.timeout(PATIENCE):
        while (await book.lag()).events:
            await asyncio.sleep(0.1)
    report = await ask(stage.log.feed, Question(("thread",), tenant=tenant))
    assert sum(line.sums.cost for line in report.lines) == report.total.cost <= CAP
    return {line.keys[0]: line.sums.cost for line in report.lines if line.sums.cost}


def _by_log(stream: Sequence[Recorded]) -> Decimal:
    """What the thread cost by its own log."""
    return fold(SPENDING, stream).spent - _lost(stream)


def _lost(stream: Sequence[Recorded]) -> Decimal:
    """What counts for calls of which nobody knows what came of them."""
    failed = [each.event for each in stream if isinstance(each.event, LLMCallFailed)]
    return sum((event.counted_usd or D(0) for event in failed), D(0))
