"""The file of budgets: what may stand there, and how mistakes are told."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest

from budgets.account import Account, period_of
from budgets.files import Budgets, claims_of, read_budgets
from policy.mistakes import InvalidFile

NOW = datetime(2026, 11, 30, 23, 30, tzinfo=timezone(-timedelta(hours=2)))


def written(folder: Path, text: str) -> Path:
    """The file of this text."""
    file = folder / "budgets.yaml"
    file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return file


@pytest.fixture
def read(tmp_path: Path) -> Budgets:
    """Two budgets that are right."""
    return read_budgets(
        written(
            tmp_path,
            """
            description: what may be spent
            budgets:
              - id: acme
                each: tenant
                per: month
                tenants: [acme, acme-*]
                cost: 500
                tokens: 200000000
                warn_at: [0.5, 0.8]
                raised_by: fin-*
              - {id: people, each: principal, per: day, principals: "*", calls: 1000, at_limit: end}
            """,
        )
    )


def test_budgets_are_for_whom_they_name(read: Budgets) -> None:
    """By patterns; one that names nobody is for all."""
    assert [each.id for each in read.of("acme-eu", "ana")] == ["acme", "people"]
    assert [each.id for each in read.of("beta", "ana")] == ["people"]
    assert read.named("acme") is read.budgets[0]
    assert read.named("nobody") is None


def test_a_call_claims_of_each_measure_that_is_limited(read: Budgets) -> None:
    """In the account of the tenant or of its principal, in the day or month of UTC."""
    amounts = {"cost": Decimal("0.5"), "tokens": Decimal(900), "calls": Decimal(1)}
    claims = claims_of(read.of("acme", "ana"), "acme", "ana", NOW, amounts)  # type: ignore[arg-type]
    assert [(each.account, each.amount, each.cap) for each in claims] == [
        (Account("acme", "acme", None, "2026-12", "cost"), Decimal("0.5"), Decimal(500)),
        (Account("acme", "acme", None, "2026-12", "tokens"), Decimal(900), Decimal(200_000_000)),
        (Account("people", "acme", "ana", "2026-12-01", "calls"), Decimal(1), Decimal(1000)),
    ]
    assert claims[0].warn_at == (Decimal("0.5"), Decimal("0.8"))
    assert claims_of(read.of("beta", "ana"), "beta", "ana", NOW, {"cost": Decimal(1)}) == ()


def test_a_period_is_one_of_utc() -> None:
    """Half past eleven in the west is the next day and month already."""
    assert (period_of(NOW, "day"), period_of(NOW, "month")) == ("2026-12-01", "2026-12")
    assert period_of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), "day") == "2026-11-30"


def test_an_account_is_read_from_its_name() -> None:
    """Whatever characters the names of tenants and principals have."""
    account = Account("b", 'a","b', "é/|\n", "2026-11", "cost")
    assert Account.of(account.name) == account


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budgets: []", ":1:10: budgets is []: it must not be empty"),
        ("budgets:\n  - {id: a, each: tenant, per: day}", ":2:5: budgets: it limits nothing"),
        ("budgets:\n  - {id: a, each: tenant, per: week, cost: 1}", ":2:32: per is"),
        ("budgets:\n  - id: a\n    each: tenant\n    per: day\n    coost: 1", ":5:5: there is no key 'coost'"),
        ("budgets:\n  - {id: a, each: tenant, per: day, cost: -1}", ":2:43: cost is -1"),
        ("budgets:\n  - {id: a, each: tenant, per: day, cost: 1, warn_at: 80}", "warn_at is 80"),
        ("budgets:\n  - {id: a, each: tenant, per: day, cost: 1, at_limit: degrade}", "degrade_to: MODEL belong"),
        ("budgets:\n  - {id: a, each: tenant, per: day, cost: 1, principals: x}", "belong to each: principal"),
        ("budgets:\n  - &x {id: a, each: tenant, per: day, cost: 1}\n  - *x", "aliases are not taken"),
        (
            "budgets:\n  - {id: a, each: tenant, per: day, cost: 1}\n  - {id: a, each: tenant, per: day, cost: 1}",
            "two budgets have the id 'a'",
        ),
        ("", "it is empty"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    """In words that say what may stand there."""
    with pytest.raises(InvalidFile) as caught:
        read_budgets(written(tmp_path, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As a mistake like any other."""
    with pytest.raises(InvalidFile, match="it cannot be read"):
        read_budgets(tmp_path / "none.yaml")
