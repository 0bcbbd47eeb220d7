"""What a budget that threads share costs a call: setting aside before it and settling after it, over a bare append.

`make bench` runs it in under a minute on a PostgreSQL of its own. The three ways take turns; what is shown are medians
and ratios of the same round. All callers share one account, which is the worst case, or each has its own. The bare
append is that of `bench.append`: `write_message` with a text made beforehand, a connection for each caller.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import TypeAlias
from uuid import uuid4

from bench.append import EVENT, METADATA, plain_writers
from bench.database import measured_database
from bench.goals import machine, show
from budgets.account import Account, Claim
from budgets.book import Hold
from budgets.postgres import PostgresBook
from eventlog.ids import new_thread_id
from eventlog.log import NO_STREAM, Entry
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from eventlog.streams import stream_of

CALLERS = (1, 16, 64)
ROUNDS = 5
SECONDS = 1.0
"""One way, once; before the first round each does so once for warmth."""
PLAIN, SHARED, APART = "a bare append", "set aside and settled, one account", "the same, an account for each"
CAP = Decimal(10**9)

Act: TypeAlias = Callable[[], Awaitable[None]]
"""Does once what is measured."""


@dataclass(frozen=True, slots=True)
class Result:
    """One way, in each round."""

    way: str
    callers: int
    seconds: Sequence[float]
    """In the middle, for one caller's once."""
    times: Sequence[float]
    """The same, in bare appends of that round."""


async def compare(url: str, callers: int, rounds: int = ROUNDS, seconds: float = SECONDS) -> Sequence[Result]:
    """All ways in turns, so that whatever else the machine does hits all of them."""
    async with _ways(url, callers) as ways:
        for acts in ways.values():
            await _middle(acts, seconds)
        measured = [{way: await _middle(acts, seconds) for way, acts in ways.items()} for _ in range(rounds)]
    return [
        Result(way, callers, [each[way] for each in measured], [each[way] / each[PLAIN] for each in measured])
        for way in ways
    ]


@asynccontextmanager
async def _ways(url: str, callers: int) -> AsyncIterator[dict[str, list[Act]]]:
    async with (
        plain_writers(url, callers) as writers,
        PostgresEventLog.connect(url, PoolTerms(max_size=min(callers, 10))) as log,
    ):
        book = PostgresBook(log.statements)
        yield {
            PLAIN: [_appends(each) for each in writers],
            SHARED: [_pays(book, "all") for _ in writers],
            APART: [_pays(book, str(number)) for number in range(callers)],
        }


def _appends(append: Callable[..., Awaitable[object]]) -> Act:
    stream, version = stream_of(new_thread_id()), NO_STREAM

    async def act() -> None:
        nonlocal version
        await append(stream, Entry(uuid4(), EVENT, METADATA), version)
        version += 1

    return act


def _pays(book: PostgresBook, tenant: str) -> Act:
    """As a model call does: both statements, of an account that has room."""
    claim = Claim(Account("bench", tenant, None, "2026-11", "cost"), Decimal("0.05"), CAP)

    async def act() -> None:
        hold = Hold(uuid4(), tenant, "1")
        lines = await book.reserve(hold, [claim])
        if lines[0].refused or not await book.settle(hold.id, {"cost": Decimal("0.01")}, "1"):
            raise AssertionError("nothing was set aside")

    return act


async def _middle(acts: Sequence[Act], seconds: float) -> float:
    """All callers at once, each one after the other, until the time is over; the median of what each took."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def keep(act: Act) -> None:
        while (begin := time.perf_counter()) < end:
            await act()
            took.append(time.perf_counter() - begin)

    await asyncio.gather(*map(keep, acts))
    return median(took)


async def main() -> None:
    """Measure everything, and show it line by line as it comes."""
    show(f"{machine()}; medians of {ROUNDS} rounds")
    show(f"{'callers':>7}  {'':<36}{'ms':>8}{'times':>8}{'from':>8}{'to':>8}")
    async with measured_database() as url:
        for callers in CALLERS:
            for result in await compare(url, callers):
                show(_line(result))


def _line(result: Result) -> str:
    times = (median(result.times), min(result.times), max(result.times))
    shown = "".join(f"{each:>8.2f}" for each in times)
    return f"{result.callers:>7}  {result.way:<36}{median(result.seconds) * 1e3:>8.2f}{shown}"


if __name__ == "__main__":
    asyncio.run(main())
