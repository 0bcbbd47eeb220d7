"""The words of a budget, as its author writes them down. START HERE, then read `budgets/book.py`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from budgets.account import MEASURES, Account, Claim, Measure, Per, period_of
from eventlog.terms import AtLimit
from policy.patterns import Globs
from policy.rules import Dollars, Named
from policy.words import Patterns, Words

MOST_BUDGETS = 100


def _numbers(given: object) -> object:
    """One number may stand without a list."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = [given]
    return tuple(given) if isinstance(given, list) else given


def _whole(given: object) -> object:
    return float(given) if type(given) is int else given


Share = Annotated[float, BeforeValidator(_whole), Field(gt=0, le=1)]
Count = Annotated[int, Field(gt=0, le=10**15)]


class Budget(Words):
    """What each tenant, or each principal of a tenant, may use in a day or in a month of UTC's calendar."""

    id: Named
    """Its name in events and reports. Under another name the counting begins anew."""
    each: Literal["tenant", "principal"]
    """Whether all threads of a tenant share it, or those of each principal."""
    per: Per
    tenants: Patterns | None = None
    """The tenants it is for; all where it names none."""
    principals: Patterns | None = None
    """The principals it is for; all where it names none."""
    cost: Annotated[Dollars, Field(gt=0)] | None = None
    tokens: Count | None = None
    """All tokens read and written, cache included."""
    calls: Count | None = None
    """Calls of models and tools, each attempt of them."""
    warn_at: Annotated[tuple[Share, ...], BeforeValidator(_numbers), Field(max_length=20)] = ()
    """Parts of the budget at which it is said that they are used: 0.8 is four fifths."""
    at_limit: AtLimit = "ask"
    degrade_to: str | None = Field(default=None, min_length=1)
    """The cheaper model, with `at_limit: degrade`."""
    raised_by: Patterns | None = None
    """Who may allow more; anybody where it names none."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not any(True for _ in self._caps()):
            raise ValueError("it limits nothing: write cost: …, tokens: … or calls: …")
        if (self.at_limit == "degrade") != (self.degrade_to is not None):
            raise ValueError("at_limit: degrade and degrade_to: MODEL belong together")
        if self.each == "tenant" and self.principals is not None:
            raise ValueError("principals belong to each: principal; a tenant's budget counts all of them")
        return self

    def is_for(self, tenant: str, principal: str) -> bool:
        """Whether it counts what this principal of this tenant uses."""
        return _fits(self.tenants, tenant) and _fits(self.principals, principal)

    def claims(self, tenant: str, principal: str, now: datetime, amounts: Mapping[Measure, Decimal]) -> Iterator[Claim]:
        """What a call that uses so much at most takes of it."""
        for measure, cap in self._caps():
            if measure in amounts:
                account = self.account(tenant, principal, now, measure)
                yield Claim(account, amounts[measure], cap, tuple(Decimal(str(share)) for share in self.warn_at))

    def account(self, tenant: str, principal: str, now: datetime, measure: Measure) -> Account:
        """Where it is counted."""
        own = principal if self.each == "principal" else None
        return Account(self.id, tenant, own, period_of(now, self.per), measure)

    def cap(self, measure: Measure) -> Decimal | None:
        """How much of it may be used; None where it does not limit that."""
        return dict(self._caps()).get(measure)

    def _caps(self) -> Iterator[tuple[Measure, Decimal]]:
        for measure in MEASURES:
            cap = getattr(self, measure)
            if cap is not None:
                yield measure, Decimal(cap)


def _fits(patterns: tuple[str, ...] | None, name: str) -> bool:
    return patterns is None or Globs(patterns).match(name) is not False
