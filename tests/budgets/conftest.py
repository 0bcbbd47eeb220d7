"""Books of each kind, and short ways to claim something."""

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from budgets.account import Account, Claim, Measure
from budgets.book import Book, Hold
from budgets.memory import MemoryBook
from budgets.postgres import PostgresBook
from eventlog.postgres import PostgresEventLog
from tests.conftest import Database

DAY = "2026-11-21"


@pytest.fixture
def memory_book() -> MemoryBook:
    """Accounts in memory."""
    return MemoryBook()


@pytest.fixture
async def postgres_book(database: Database) -> AsyncIterator[PostgresBook]:
    """Accounts in a database of their own."""
    async with PostgresEventLog.connect(database.url) as log:
        yield PostgresBook(log.statements)


@pytest.fixture(params=["memory_book", "postgres_book"])
def book(request: pytest.FixtureRequest) -> Book:
    """Each adapter in turn."""
    chosen: Book = request.getfixturevalue(request.param)
    return chosen


def account(budget: str = "day", measure: Measure = "cost", principal: str | None = None) -> Account:
    """An account of the tenant acme."""
    return Account(budget, "acme", principal, DAY, measure)


def claim(amount: str, cap: str = "1", of: Account | None = None, warn_at: tuple[str, ...] = ()) -> Claim:
    """A claim of so many dollars."""
    return Claim(of or account(), Decimal(amount), Decimal(cap), tuple(map(Decimal, warn_at)))


def hold(id_: UUID | None = None, attempt: str = "1", *, lost: bool = True, thread: str = "t") -> Hold:
    """Somebody who sets something aside."""
    return Hold(id_ or uuid4(), thread, attempt, lost=lost)


async def stands(book: Book) -> dict[str, tuple[Decimal, Decimal]]:
    """What is spent and set aside, by budget and measure."""
    found = {}
    for balance in await book.balances([DAY]):
        of = Account.of(balance.account)
        found[f"{of.budget}/{of.measure}"] = (balance.spent, balance.held)
    return found
