"""Accounts in tables beside the log: one statement for each method, and so one transaction."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, LiteralString
from uuid import UUID

from budgets.account import Account, Balance, Claim, Line
from budgets.book import Hold, Used
from eventlog.log import LogMisconfigured
from eventlog.statements import Statements

RESERVE: Final[LiteralString] = """
SELECT account, spent, held, raised, refused, warned
  FROM perdure.budget_reserve(%b::uuid, %b::text, %b::text, %b::jsonb, %b::boolean)
"""
SETTLE: Final[LiteralString] = "SELECT perdure.budget_settle(%b::uuid, %b::text, %b::jsonb)"
CLOSE: Final[LiteralString] = "SELECT perdure.budget_close(%b::text)"
RAISE: Final[LiteralString] = "SELECT perdure.budget_raise(%b::uuid, %b::text, %b::numeric)"
WAIT: Final[LiteralString] = "SELECT perdure.budget_wait(%b::uuid, %b::text)"
WAITING: Final[LiteralString] = """
SELECT DISTINCT thread FROM perdure.budget_holds WHERE waits_for = %b::text ORDER BY thread
"""
BALANCES: Final[LiteralString] = """
SELECT account, spent, held, raised FROM perdure.budget_accounts WHERE period = ANY(%b::text[]) ORDER BY account
"""
CHECK: Final[LiteralString] = """
SELECT to_regprocedure('perdure.budget_reserve(uuid, text, text, jsonb, boolean)') IS NOT NULL
   AND to_regprocedure('perdure.budget_wait(uuid, text)') IS NOT NULL
"""


class PostgresBook:
    """See `Book`. A statement whose connection was lost is made again: said twice, each counts once."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def check(self) -> None:
        """Raise `LogMisconfigured` where the database has not what budgets need."""
        [(there,)] = await self._statements.patiently(lambda: self._statements.rows(CHECK))
        if not there:
            raise LogMisconfigured(
                "budgets need Perdure's own functions in the database, and they are not there, or of an older version: "
                "install them with `python -m stack.provision`, or unset PERDURE_BUDGETS"
            )

    async def reserve(self, hold: Hold, claims: Sequence[Claim]) -> tuple[Line, ...]:
        """See `Book.reserve`."""
        given = [hold.id, hold.thread, hold.attempt, _written(claims), hold.lost]
        rows = await self._statements.patiently(lambda: self._statements.rows(RESERVE, *given))
        by_name = {claim.account.name: claim for claim in claims}
        return tuple(
            Line(by_name[account], Balance(account, spent, held, raised), refused=refused, warned=warned)
            for account, spent, held, raised, refused, warned in rows
            if account in by_name
        )

    async def settle(self, id_: UUID, used: Used, attempt: str | None = None) -> bool:
        """See `Book.settle`."""
        amounts = json.dumps({measure: str(amount) for measure, amount in used.items()})
        return bool(await self._one(SETTLE, id_, attempt, amounts))

    async def close(self, thread: str) -> int:
        """See `Book.close`."""
        return int(str(await self._one(CLOSE, thread)))

    async def raise_cap(self, id_: UUID, account: Account, amount: Decimal) -> bool:
        """See `Book.raise_cap`."""
        return bool(await self._one(RAISE, id_, account.name, amount))

    async def wait(self, id_: UUID, account: Account) -> Decimal:
        """See `Book.wait`."""
        return Decimal(str(await self._one(WAIT, id_, account.name)))

    async def waiting(self, account: Account) -> tuple[str, ...]:
        """See `Book.waiting`."""
        rows = await self._statements.patiently(lambda: self._statements.rows(WAITING, account.name))
        return tuple(thread for (thread,) in rows)

    async def balances(self, periods: Sequence[str]) -> tuple[Balance, ...]:
        """See `Book.balances`."""
        rows = await self._statements.patiently(lambda: self._statements.rows(BALANCES, list(periods)))
        return tuple(Balance(*row) for row in rows)

    async def _one(self, statement: LiteralString, *given: object) -> object:
        [(answer,)] = await self._statements.patiently(lambda: self._statements.rows(statement, *given))
        return answer


def _written(claims: Sequence[Claim]) -> str:
    return json.dumps(
        [
            {
                "account": claim.account.name,
                "measure": claim.account.measure,
                "amount": str(claim.amount),
                "cap": str(claim.cap),
                "warn": [str(share) for share in claim.warn_at],
            }
            for claim in claims
        ]
    )
