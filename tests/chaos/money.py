"""Threads that share a budget and are struck between setting money aside and counting what a call did cost."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, LiteralString

from eventlog.events import LLMResponseReceived, ToolExecutionRequested
from eventlog.feed import Statement
from ledger.book import Book
from ledger.report import Question, ask
from projections.fold import fold
from projections.spending import SPENDING
from tests.acceptance.invariants import Story
from tests.acceptance.stage import Stage
from tests.acceptance.worker_process import PATIENCE
from tests.chaos.cases import KINDS, Case
from tests.chaos.situation import Situation

PER_CALL = Decimal("0.004")
"""US dollars for each attempt at a tool."""
PER_MILLION = dict.fromkeys(("input", "output", "cache_read", "cache_write"), "4")
PRICES = {"models": {"scripted-1": PER_MILLION}, "tools": {tool: {"call": str(PER_CALL)} for tool in KINDS.values()}}
HOLDS: LiteralString = "SELECT count(*) FROM perdure.budget_holds WHERE thread = %s"
ACCOUNT: LiteralString = "SELECT spent, held FROM perdure.budget_accounts WHERE account::jsonb ->> 1 = %s"


def prices() -> str:
    """The file of prices."""
    return json.dumps(PRICES)


def budgets(tenant: str) -> str:
    """The file of budgets: one that all of a tenant's threads share."""
    shared = {"id": "shared", "each": "tenant", "tenants": [tenant], "per": "month", "cost": 100, "at_limit": "end"}
    return json.dumps({"budgets": [shared]})


class SharedBudget(Situation):
    """Accounts, ledger and log must agree when everything is over."""

    def terms(self, token: str) -> Mapping[str, Any]:
        """All of a scene's threads are one tenant's."""
        return {"tenant": token}

    def wrong(self, story: Story, case: Case) -> Iterator[str]:  # noqa: ARG002
        """Every reply has its cost."""
        if None in _costs(story):
            yield f"every reply says what it cost: {_costs(story)}"

    async def wrong_besides(self, stage: Stage, story: Story) -> Sequence[str]:
        """Nothing is set aside any more, and the ledger has what replies and attempts at tools cost, to the cent."""
        [(holds,)] = await stage.log.feed.ask(Statement(HOLDS, (story.thread,)))
        entered = await _entered(stage, story.thread)
        cost = sum((each for each in _costs(story) if each is not None), _attempts(story) * PER_CALL)
        return [
            *([f"nothing stays set aside: {holds} holds do"] if holds else []),
            *([f"the ledger has what it cost: {entered} and not {cost}"] if entered != cost else []),
            *await _account(stage, story),
        ]


def _costs(story: Story) -> list[Decimal | None]:
    return [event.cost_usd for event in story.events if isinstance(event, LLMResponseReceived)]


def _attempts(story: Story) -> int:
    return sum(isinstance(event, ToolExecutionRequested) for event in story.events)


async def _entered(stage: Stage, thread: str) -> Decimal:
    """What the thread cost, as `perdure usage` says it, once everything is entered."""
    book = Book(stage.log.feed)
    async with asyncio.timeout(PATIENCE):
        while (await book.lag()).events:
            await asyncio.sleep(0.1)
    return (await ask(stage.log.feed, Question(thread=thread))).total.cost


async def _account(stage: Stage, story: Story) -> Sequence[str]:
    """What the tenant's account says that the logs of its threads do not."""
    tenant = story.recorded[0].metadata.tenant
    [(spent, held)] = await stage.log.feed.ask(Statement(ACCOUNT, (tenant,)))
    streams = [await stage.recorded(handle.id) for handle in stage.handles]
    by_log = sum(fold(SPENDING, stream).spent for stream in streams if stream[0].metadata.tenant == tenant)
    problems = [f"nothing stays set aside: {held} does"] if held else []
    return problems if spent >= by_log else [*problems, f"all that was spent is counted: {spent}, and it was {by_log}"]
