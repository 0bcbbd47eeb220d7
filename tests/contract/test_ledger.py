"""The ledger holds what the log says was used: to the cent, once, however it came about."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.consumer import Follower, Pace, following
from eventlog.events import (
    AnyEvent,
    ApprovalExpired,
    LLMResponseReceived,
    SessionPaused,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
)
from eventlog.ids import new_thread_id
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from ledger.book import Book
from ledger.entries import label
from ledger.report import NoSuchDimension, Question, Report, Sums, ask
from llm.messages import ModelTerms, TokenUsage
from projections.fold import fold
from projections.usage import USAGE, Usage
from tests.conftest import Database
from tests.projections.facts import asking, begun, completed, model_failed, replied, started, tool_failed, unknown

PATIENCE = 60.0
STEADY = Pace(batch=9, poll=0.01)
SWIFT = replace(STEADY, hold=1.0)
"""For who takes over; elsewhere a busy machine may stand still for as long."""
JANUARY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)


def follower_of(log: PostgresEventLog, pace: Pace = STEADY) -> Follower:
    """What keeps its ledger."""
    return Follower(log.feed, Book(log.feed).consumer, pace=pace)


async def write(
    log: PostgresEventLog, events: Sequence[AnyEvent], thread: ThreadId | None = None, at: datetime = JANUARY
) -> ThreadId:
    """A thread of these events."""
    thread = thread or new_thread_id()
    for event in events:
        await log.append(stream_of(thread), Entry(uuid4(), event, Metadata(at=at, principal="worker")))
    return thread


async def asked(log: PostgresEventLog, *by: str, **wanted: object) -> Report:
    """What the ledger answers."""
    return await ask(log.feed, Question(by, **wanted))  # type: ignore[arg-type]


async def costs(log: PostgresEventLog, *by: str, **wanted: object) -> dict[tuple[str | None, ...], Decimal]:
    """The money, by whatever it is wanted by."""
    return {line.keys: line.sums.cost for line in (await asked(log, *by, **wanted)).lines}


# -- the same as the log says ---------------------------------------------------------------------

NAMES = st.sampled_from(["claude-a", "claude-b", "search", "x\0y", "\ud800", "e␛", "", "n" * 300])
COUNTS = st.integers(0, 10**9)
TOKENS = st.builds(
    TokenUsage, input_tokens=COUNTS, output_tokens=COUNTS, cache_read_tokens=COUNTS, cache_write_tokens=COUNTS
)
MONEY = st.none() | st.decimals(0, 1000, places=9, allow_nan=False)
EVENTS = st.lists(
    st.one_of(
        st.builds(
            lambda name, tokens, cost, ms: replied("…", cost=cost).model_copy(
                update={"model_name": name, "token_usage": tokens, "duration_ms": ms}
            ),
            NAMES,
            TOKENS,
            MONEY,
            st.integers(0, 10**7),
        ),
        st.builds(lambda name: asking(1, 1).model_copy(update={"model": ModelTerms(name=name or "m")}), NAMES),
        st.just(model_failed(1)),
        st.builds(
            lambda call, cost: begun(call).model_copy(update={"cost_usd": cost}), st.sampled_from(["a", "b"]), MONEY
        ),
        st.builds(
            lambda name, ms: completed("a", "A").model_copy(update={"tool_name": name, "execution_time_ms": ms}),
            NAMES,
            st.integers(0, 10**6),
        ),
        st.builds(
            lambda name, again: tool_failed("a", will_retry=again).model_copy(update={"tool_name": name}),
            NAMES,
            st.booleans(),
        ),
        st.builds(lambda name: unknown("a").model_copy(update={"tool_name": name}), NAMES),
        st.just(SessionPaused(by="ana")),
        st.just(ApprovalExpired(call_id="a")),
    ),
    max_size=12,
)


@dataclass(frozen=True)
class Told:
    """What one thread used of one model or tool, as both sides can tell it."""

    calls: int
    failures: int
    unknown: int
    tokens: tuple[int, ...]
    cost: Decimal
    unpriced: int
    time_ms: int


def tool_costs(events: Sequence[AnyEvent]) -> dict[str, Decimal]:
    """What the calls of each tool cost, attempt by attempt."""
    prices, costs = {}, defaultdict[str, Decimal](Decimal)
    for event in events:
        match event:
            case ToolExecutionRequested(call_id=call, cost_usd=Decimal() as cost):
                prices[call] = cost
            case ToolExecutionCompleted(call_id=call, tool_name=name):
                costs[name] += prices.pop(call, 0)
            case ToolExecutionFailed(call_id=call, tool_name=name):
                costs[name] += prices.get(call, 0) if event.will_retry else prices.pop(call, 0)
            case ToolExecutionOutcomeUnknown(call_id=call, tool_name=name):
                costs[name] += prices.pop(call, 0)
            case _:
                pass
    return costs


def by_the_log(usage: Usage, costs: Mapping[str, Decimal]) -> dict[tuple[str | None, str | None], Told]:
    """What the view of the thread says, by model and tool, under the names the ledger has for them."""
    told: dict[tuple[str | None, str | None], Told] = {}
    for name, model in usage.models.items():
        tokens = tuple(model.tokens.model_dump().values())
        told[label(name), None] = Told(
            model.calls, model.failures, 0, tokens, model.cost, model.unpriced, model.time_ms
        )
    for name, tool in usage.tools.items():
        told[None, label(name)] = Told(
            tool.completed, tool.failures, tool.unknown, (0, 0, 0, 0), costs[name], 0, tool.time_ms
        )
    return told


def by_the_ledger(report: Report) -> dict[tuple[str | None, str | None], Told]:
    """The same, as the ledger has it."""
    return {(line.keys[0], line.keys[1]): _told(line.sums) for line in report.lines}


def _told(sums: Sums) -> Told:
    tokens = (sums.input_tokens, sums.output_tokens, sums.cache_read_tokens, sums.cache_write_tokens)
    return Told(
        sums.model_calls + sums.tool_calls,
        sums.model_failures + sums.tool_failures,
        sums.tool_unknown,
        tokens,
        sums.cost,
        sums.unpriced,
        sums.duration_ms,
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(streams=st.lists(EVENTS, min_size=1, max_size=3), pieces=st.integers(1, 3))
async def test_the_ledger_is_the_log_added_up(
    postgres_log: PostgresEventLog, streams: list[list[AnyEvent]], pieces: int
) -> None:
    """Kept bit by bit, or made again from the first event, it says of every thread what the thread's own view says."""
    threads = [new_thread_id() for _ in streams]
    for at in range(pieces):
        for thread, events in zip(threads, streams, strict=True):
            await write(postgres_log, ([started()] if at == 0 else []) + events[at::pieces], thread)
        assert await follower_of(postgres_log).catch_up()
    whole = await asked(postgres_log, "thread", "model", "tool", "tenant", "principal", "day")
    for thread in threads:
        recorded = [each async for each in postgres_log.read(stream_of(thread))]
        told = by_the_ledger(await asked(postgres_log, "model", "tool", thread=thread))
        assert told == by_the_log(fold(USAGE, recorded), tool_costs([each.event for each in recorded]))
    await Book(postgres_log.feed).begin_again()
    assert await follower_of(postgres_log).catch_up()
    assert await asked(postgres_log, "thread", "model", "tool", "tenant", "principal", "day") == whole


async def test_racing_keepers_count_nothing_twice(postgres_log: PostgresEventLog, database: Database) -> None:
    """Processes that come, go and die while threads are written leave a ledger in which everything stands once."""
    events: list[AnyEvent] = [started(), *(replied("…", cost=Decimal("0.01")) for _ in range(30))]
    done = asyncio.Event()

    async def come_and_go(log: PostgresEventLog) -> None:
        lives = itertools.cycle((0.0, 0.03, 0.005))
        while not done.is_set():
            async with following(follower_of(log, SWIFT)):
                await asyncio.sleep(next(lives))

    async with AsyncExitStack() as processes:
        logs = [await processes.enter_async_context(PostgresEventLog.connect(database.url)) for _ in range(3)]
        keepers = [asyncio.create_task(come_and_go(log)) for log in logs]
        await asyncio.gather(*(write(postgres_log, events) for _ in range(6)))
        done.set()
        await asyncio.gather(*keepers)
    async with asyncio.timeout(PATIENCE), following(follower_of(postgres_log, SWIFT)):
        while (await Book(postgres_log.feed).lag()).events:
            await asyncio.sleep(0.01)
    total = (await asked(postgres_log)).total
    assert (total.model_calls, total.cost) == (180, Decimal("1.80"))


async def test_it_is_made_again_while_it_is_kept(postgres_log: PostgresEventLog) -> None:
    """Whoever wants it made again need not stop the workers."""
    await write(postgres_log, [started(), *(replied("…", cost=Decimal("0.01")) for _ in range(60))])
    async with asyncio.timeout(PATIENCE), following(follower_of(postgres_log, SWIFT)):
        for _ in range(3):
            await Book(postgres_log.feed).begin_again()
            await asyncio.sleep(0.02)
        while (await Book(postgres_log.feed).lag()).events:
            await asyncio.sleep(0.01)
    assert (await asked(postgres_log)).total.cost == Decimal("0.60")


# -- whose it is, and when it was -----------------------------------------------------------------


def replied_for(cost: str | None, model: str = "claude-test") -> LLMResponseReceived:
    """A reply of this price."""
    return replied("…", cost=None if cost is None else Decimal(cost)).model_copy(update={"model_name": model})


async def test_sums_are_had_by_everything(postgres_log: PostgresEventLog) -> None:
    """By thread, tenant, principal, model, day and month, and by several together; from a day to a day."""
    acme = started().model_copy(update={"tenant": "acme", "principal": "ana"})
    bolt = started().model_copy(update={"tenant": "bolt", "principal": "ben"})
    february = JANUARY + timedelta(minutes=1)
    one = await write(postgres_log, [acme, replied_for("1", "a"), replied_for("2", "b")])
    await write(postgres_log, [replied_for("4", "a")], one, february)
    two = await write(postgres_log, [bolt, replied_for("8", "a")])
    assert await follower_of(postgres_log).catch_up()
    assert await costs(postgres_log, "tenant") == {("acme",): 7, ("bolt",): 8}
    assert await costs(postgres_log, "thread") == {(one,): 7, (two,): 8}
    assert await costs(postgres_log, "principal", "model") == {("ana", "a"): 5, ("ana", "b"): 2, ("ben", "a"): 8}
    assert await costs(postgres_log, "month") == {("2026-01",): 11, ("2026-02",): 4}
    assert await costs(postgres_log, "day", tenant="acme") == {("2026-01-31",): 3, ("2026-02-01",): 4}
    assert await costs(postgres_log, "day", since=date(2026, 2, 1)) == {("2026-02-01",): 4}
    assert (await asked(postgres_log, until=date(2026, 1, 31), principal="ben")).total.cost == 8
    assert (await asked(postgres_log, thread="nobody's")).total.cost == 0
    with pytest.raises(NoSuchDimension, match="only by thread, tenant"):
        await asked(postgres_log, "hour")


async def test_an_unknown_price_is_counted_and_never_free(postgres_log: PostgresEventLog) -> None:
    """Beside the sum of what is known stands how many calls it lacks."""
    await write(postgres_log, [started(), replied_for("1.5"), replied_for(None), replied_for(None)])
    assert await follower_of(postgres_log).catch_up()
    total = (await asked(postgres_log)).total
    assert (total.model_calls, total.cost, total.unpriced) == (3, Decimal("1.5"), 2)


async def test_every_attempt_of_a_tool_costs_what_was_said_when_it_was_begun(postgres_log: PostgresEventLog) -> None:
    """Retries, failures and lost calls included; what was never begun or has no price costs nothing."""
    dear, free = {"tool_name": "search", "cost_usd": Decimal("0.01")}, {"tool_name": "search"}

    def failing(kind: str, *, will_retry: bool = False) -> AnyEvent:
        return tool_failed("a", will_retry=will_retry).model_copy(update={"tool_name": "search", "kind": kind})

    async def cost_of(*events: AnyEvent) -> Decimal:
        thread = await write(postgres_log, [started(), *events])
        assert await follower_of(postgres_log).catch_up()
        return (await asked(postgres_log, thread=thread)).total.cost

    intent, done = begun("a").model_copy(update=dear), completed("a", "A", name="search")
    assert await cost_of(intent, failing("timeout", will_retry=True), done) == Decimal("0.02")
    assert await cost_of(intent, unknown("a")) == Decimal("0.01")
    assert await cost_of(intent, done, done) == Decimal("0.01")
    assert await cost_of(intent, failing("too_late")) == 0
    assert await cost_of(failing("denied_by_policy")) == 0
    assert await cost_of(begun("a").model_copy(update=free), done) == 0


async def test_a_call_that_is_entered_in_two_pieces_keeps_its_price(postgres_log: PostgresEventLog) -> None:
    """What was said when it was begun is known when its outcome comes, whatever the call is called."""
    intent = begun("a\0␛").model_copy(update={"cost_usd": Decimal("0.10")})
    thread = await write(postgres_log, [started(), intent])
    assert await follower_of(postgres_log).catch_up()
    await write(postgres_log, [completed("a\0␛", "A")], thread)
    assert await follower_of(postgres_log).catch_up()
    assert await costs(postgres_log, "tool") == {("read_file",): Decimal("0.10")}


async def test_a_thread_without_a_beginning_counts_too(postgres_log: PostgresEventLog) -> None:
    """Its calls are entered under whoever wrote them."""
    await write(postgres_log, [replied_for("1")])
    assert await follower_of(postgres_log).catch_up()
    assert await costs(postgres_log, "tenant", "principal") == {("default", "worker"): 1}
