"""The ledger is kept by whichever worker lives, and says what the threads say."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from eventlog.feed import Statement
from ledger.book import Book
from ledger.report import Question, ask
from projections.fold import fold
from projections.usage import USAGE, Usage
from stack.scripted.answers import Broken, Reply
from stack.scripted.playbook import Step
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Stage, staged
from tests.acceptance.worker_process import PATIENCE

PLAYS: Mapping[str, Sequence[Step]] = {
    "stutter": [[Broken(30, Reply.text("a thought")), Reply.text("a thought")]],
    "look": [Reply.tools(("look", {}, "look-1")), Reply.text("done")],
    "both": [Reply.tools(("look", {}, "a"), ("put", {}, "b")), Reply.text("done")],
}


async def test_a_killed_worker_is_succeeded_at_the_ledger(servers: Servers, tmp_path: Path) -> None:
    """The one that keeps it is killed while threads run; another goes on, and the ledger equals the threads' views."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        first = await stage.hire()
        begun = [await stage.start(opening) for opening in PLAYS]
        await _until_entered(stage, begun[0].id)
        await stage.hire()
        more = [await stage.start(opening) for opening in PLAYS]
        await first.kill()
        await asyncio.gather(*(stage.done(handle) for handle in (*begun, *more)))
        book = Book(stage.log.feed)
        async with asyncio.timeout(PATIENCE):
            while (await book.lag()).events:
                await asyncio.sleep(0.1)
        for handle in (*begun, *more):
            assert await _by_the_ledger(stage, handle.id) == _told(fold(USAGE, await stage.recorded(handle.id)))


async def _until_entered(stage: Stage, thread: str) -> None:
    """Return as soon as the ledger knows of the thread: then a worker keeps it."""
    query = Statement("SELECT FROM perdure.ledger_threads WHERE thread = %s", (thread,))
    async with asyncio.timeout(PATIENCE):
        while not await stage.log.feed.ask(query):
            await asyncio.sleep(0.05)


async def _by_the_ledger(stage: Stage, thread: str) -> tuple[object, ...]:
    total = (await ask(stage.log.feed, Question((), thread))).total
    tokens = total.input_tokens + total.output_tokens + total.cache_read_tokens + total.cache_write_tokens
    tools = (total.tool_calls, total.tool_failures, total.tool_unknown)
    return total.model_calls, total.model_failures, tokens, total.cost, total.unpriced, *tools


def _told(usage: Usage) -> tuple[object, ...]:
    failures = sum(model.failures for model in usage.models.values())
    tools = usage.tools.values()
    counts = (sum(tool.completed for tool in tools), sum(tool.failures for tool in tools))
    return usage.calls, failures, usage.tokens.total, usage.cost, usage.unpriced, *counts, sum(t.unknown for t in tools)
