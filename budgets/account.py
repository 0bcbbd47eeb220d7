"""Whose money it is: one account for each budget, tenant or principal, period and measure."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, Self, get_args

Measure = Literal["cost", "tokens", "calls"]
"""US dollars; tokens read and written; calls of models and tools."""
Per = Literal["day", "month"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True, slots=True)
class Account:
    """One sum that may be used up to a cap."""

    budget: str
    """The id of the budget in the file."""
    tenant: str
    principal: str | None
    """None where all of a tenant's principals share it."""
    period: str
    """A day, `2026-11-21`, or a month, `2026-11`, of UTC's calendar."""
    measure: Measure

    @property
    def name(self) -> str:
        """What it is called in the database and in events: a JSON array of these five."""
        parts = [self.budget, self.tenant, self.principal, self.period, self.measure]
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, name: str) -> Self:
        """The account of this name."""
        return cls(*json.loads(name))


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call may take of one account at most."""

    account: Account
    amount: Decimal
    cap: Decimal
    """How much may be used, but for what was allowed on top."""
    warn_at: tuple[Decimal, ...] = ()
    """Parts of the cap of which somebody wants to hear."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How an account stands."""

    account: str
    """Its name."""
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    """Set aside for calls that are under way."""
    raised: Decimal = Decimal(0)
    """Allowed on top of the cap."""

    @property
    def used(self) -> Decimal:
        """What nobody else can have."""
        return self.spent + self.held


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one claim."""

    claim: Claim
    balance: Balance
    """Of its account: after it was set aside, or, where it was refused, as it is."""
    refused: bool = False
    warned: Decimal | None = None
    """The largest part of the cap that was passed by this very call."""

    @property
    def allowed(self) -> Decimal:
        """The cap, with what was allowed on top."""
        return self.claim.cap + self.balance.raised


def period_of(now: datetime, per: Per) -> str:
    """The day or month that it is, by UTC."""
    return f"{now.astimezone(UTC):%Y-%m-%d}" if per == "day" else f"{now.astimezone(UTC):%Y-%m}"
