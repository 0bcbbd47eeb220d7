"""Many threads after the same dollar: the sum never passes the cap, nobody hangs, nothing is lost by dying."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.account import Claim
from budgets.book import NOTHING, Book, Hold
from budgets.memory import MemoryBook
from budgets.postgres import PostgresBook
from eventlog.log import LogError
from eventlog.pool import PoolTerms
from eventlog.postgres import PostgresEventLog
from tests.budgets.conftest import DAY, account, claim, hold
from tests.conftest import Database

D = Decimal
T = TypeVar("T")
THREADS = 64
CAP = D(1)
PATIENCE = 60.0
"""Seconds after which a race is taken to hang; nothing is measured by it."""


@pytest.fixture
async def books(database: Database) -> AsyncIterator[list[PostgresBook]]:
    """The same accounts, over four pools of eight connections each, as four workers have them."""
    logs = [PostgresEventLog.connect(database.url, PoolTerms(max_size=8, acquire=PATIENCE)) for _ in range(4)]
    opened = [await log.__aenter__() for log in logs]
    try:
        yield [PostgresBook(log.statements) for log in opened]
    finally:
        for log in logs:
            await log.__aexit__(None, None, None)


async def spend(book: Book, thread: str, chance: random.Random) -> Decimal:
    """Call, and call again, until there is no more; what was used in all."""
    used = D(0)
    while True:
        step = Hold(uuid4(), thread, "1")
        amount = D(chance.randint(1, 60)) / 1000
        shuffled = [claim(str(amount)), claim("1", "100000", account("b", "calls")), claim("9", "10", account("a"))]
        chance.shuffle(shuffled)
        lines = await book.reserve(step, [each for each in shuffled if each.account.budget != "a"])
        if any(line.refused for line in lines):
            return used
        await asyncio.sleep(0)
        cost = amount * chance.randint(0, 10) / 10
        await book.settle(step.id, {"cost": cost}, "1")
        used += cost


async def test_64_threads_race_for_one_dollar(books: list[PostgresBook]) -> None:
    """What they use in all stays below it at every moment, all of them end, and the account is right to the digit."""
    seen: list[Decimal] = []
    over = asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            seen.extend(each.used for each in await books[0].balances([DAY]) if each.account == account().name)

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(PATIENCE):
        races = (spend(books[n % 4], f"t{n}", random.Random(n)) for n in range(THREADS))
        used = await asyncio.gather(*races)
        over.set()
        await watching
    balance = next(each for each in await books[0].balances([DAY]) if each.account == account().name)
    assert sum(used) == balance.spent <= CAP
    assert balance.held == 0
    assert seen
    assert max(seen) <= CAP
    assert balance.spent > CAP - D("0.06"), "whoever was refused could not have had that much"


async def test_two_that_want_the_same_accounts_in_other_orders(books: list[PostgresBook]) -> None:
    """Rows are locked in one order whatever order they are named in: nobody waits for somebody who waits for them."""
    accounts = [account(name) for name in "abcdef"]

    async def take(number: int) -> None:
        chance = random.Random(number)
        for _ in range(10):
            chosen = chance.sample(accounts, 4)
            step = hold(thread=f"t{number % 8}")
            await books[number % 4].reserve(step, [Claim(each, D(1), D(10**6)) for each in chosen])
            if chance.random() < 0.2:
                await books[number % 4].close(f"t{number % 8}")
            else:
                await books[number % 4].settle(step.id, {}, "1")

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(take(number) for number in range(32)))
    stand = await books[0].balances([DAY])
    assert all(each.held == 0 for each in stand)
    assert sum(each.spent for each in stand) == 32 * 10 * 4


SPENDER = """
import asyncio, sys, uuid
from decimal import Decimal
from budgets.account import Account, Claim
from budgets.book import Hold
from budgets.postgres import PostgresBook
from eventlog.postgres import PostgresEventLog

async def main(url, number):
    claims = [Claim(Account("day", "acme", None, "2026-11-21", "cost"), Decimal("0.01"), Decimal(1))]
    async with PostgresEventLog.connect(url) as log:
        book, all_are_here = PostgresBook(log.statements), asyncio.Event()
        async def begin():
            await asyncio.to_thread(sys.stdin.readline)
            all_are_here.set()
        async def spend(thread):
            while True:
                step = Hold(uuid.uuid4(), thread, "1")
                if (await book.reserve(step, claims))[0].refused:
                    return
                print("held", flush=True)
                await all_are_here.wait()
                await asyncio.sleep(0.002)
                await book.settle(step.id, {"cost": Decimal("0.005")}, "1")
        await asyncio.gather(begin(), *(spend(f"p{number}-{n}") for n in range(8)))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_processes_that_are_killed_leave_the_accounts_right(
    database: Database, books: list[PostgresBook]
) -> None:
    """What they had set aside goes on counting until their threads are ended; others go on, and nothing is locked."""
    book = books[0]
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SPENDER, database.url, str(number)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(2)
    ]
    try:
        async with asyncio.timeout(PATIENCE):
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"held\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(b"all are here\n")
            processes[0].send_signal(signal.SIGKILL)
            await processes[0].wait()
            assert await processes[1].wait() == 0
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    [balance] = await book.balances([DAY])
    assert balance.used <= CAP
    left = [await book.close(f"p{number}-{n}") for number in range(2) for n in range(8)]
    [after] = await book.balances([DAY])
    assert after.held == 0
    assert after.spent == balance.used
    assert balance.held == D("0.01") * sum(left)


async def test_connections_that_are_cut_lose_nothing(database: Database, books: list[PostgresBook]) -> None:
    """A statement whose connection ends under it is made again, and counts once all the same."""
    stop = asyncio.Event()

    async def cut() -> None:
        async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
            while not stop.is_set():
                await connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1"
                )
                await asyncio.sleep(0.02)

    async def spend_so_many(book: PostgresBook, thread: str) -> None:
        for _ in range(20):
            step = Hold(uuid4(), thread, "1")
            await until_done(partial(book.reserve, step, [Claim(account(), D(1), D(10**6))]))
            await until_done(partial(book.settle, step.id, {"cost": D("0.5")}, "1"))

    cutting = asyncio.create_task(cut())
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(spend_so_many(books[n % 4], f"t{n}") for n in range(8)))
        stop.set()
        await cutting
        balances = await until_done(lambda: books[0].balances([DAY]))
    assert [(each.spent, each.held) for each in balances] == [(D(80), D(0))]


async def until_done(attempt: Callable[[], Awaitable[T]]) -> T:
    """As an activity does: again, for as long as the database is away."""
    while True:
        try:
            return await attempt()
        except LogError:
            await asyncio.sleep(0.01)


# -- any interleaving, in memory --------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(0, 4),  # which step
        st.sampled_from(("reserve", "again", "die", "settle", "release", "late", "close")),
        st.integers(1, 50),  # cents set aside
        st.integers(0, 10),  # tenths of it that are used
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_whatever_happens_the_sum_stays_below_the_cap(steps: list[tuple[int, str, int, int]]) -> None:
    """Attempts that repeat themselves, die, are late, release and settle, in any order."""
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[int, str, int, int]]) -> None:
    book, ids = MemoryBook(), [uuid4() for _ in range(5)]
    attempts = dict.fromkeys(range(5), 0)
    settled = D(0)
    for which, what, cents, tenths in steps:
        amount, id_ = D(cents) / 100, ids[which]
        before = await _used(book)
        if what in ("reserve", "die"):
            attempts[which] += 1
        now = Hold(id_, f"t{which % 2}", str(attempts[which]), lost=what == "die")
        match what:
            case "reserve" | "again" | "die":
                await book.reserve(now, [claim(str(amount))])
            case "settle":
                await book.settle(id_, {"cost": amount * tenths / 10 if tenths else D(0)} if tenths < 10 else {}, None)
            case "release":
                await book.settle(id_, NOTHING)
            case "late":
                assert not await book.settle(id_, NOTHING, "no such attempt")
                assert await _used(book) == before
            case "close":
                await book.close(f"t{which % 2}")
        settled = max(settled, await _spent(book))
        assert await _spent(book) == settled, "what was spent is never given back"
    for thread in ("t0", "t1"):
        await book.close(thread)


async def _used(book: Book) -> Decimal:
    return sum((each.used for each in await book.balances([DAY])), D(0))


async def _spent(book: Book) -> Decimal:
    return sum((each.spent for each in await book.balances([DAY])), D(0))
