"""The file of budgets: YAML, read once when a worker starts."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from budgets.account import Claim, Measure
from budgets.budget import MOST_BUDGETS, Budget
from policy.mistakes import Reader
from policy.words import Words


def _tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


class Budgets(Words):
    """All budgets that there are."""

    description: str | None = None
    """For people."""
    budgets: Annotated[tuple[Budget, ...], BeforeValidator(_tuple), Field(min_length=1, max_length=MOST_BUDGETS)]

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        seen: set[str] = set()
        for budget in self.budgets:
            if budget.id in seen:
                raise ValueError(f"two budgets have the id {budget.id!r}")
            seen.add(budget.id)
        return self

    def of(self, tenant: str, principal: str) -> tuple[Budget, ...]:
        """Those that count what this principal of this tenant uses."""
        return tuple(budget for budget in self.budgets if budget.is_for(tenant, principal))

    def named(self, id_: str) -> Budget | None:
        """The budget of this id."""
        return next((budget for budget in self.budgets if budget.id == id_), None)


def claims_of(
    budgets: tuple[Budget, ...], tenant: str, principal: str, now: datetime, amounts: Mapping[Measure, Decimal]
) -> tuple[Claim, ...]:
    """What a call takes of all of them."""
    return tuple(claim for each in budgets for claim in each.claims(tenant, principal, now, amounts))


def read_budgets(file: Path) -> Budgets:
    """The budgets in a file; raises `InvalidFile` with everything that is wrong with it."""
    said, _ = Reader(Budgets, {"budgets": Budget}).read(file, Budgets)
    return said
