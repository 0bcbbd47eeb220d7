"""`perdure budgets`, `perdure raise`, and the limits of `perdure start`."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

import client
from budgets.account import Account, Claim, period_of
from budgets.book import Hold
from budgets.postgres import PostgresBook
from cli.errors import BadUsage
from cli.exits import ExitCode
from cli.given import at_the_limit, limits
from eventlog.events import BudgetExceeded, BudgetRaised, BudgetRefused, SessionStarted
from eventlog.postgres import PostgresEventLog
from stack.scripted.answers import Reply
from tests.cli.conftest import Perdure
from tests.cli.nursery import Nursery
from tests.conftest import Database
from tests.workflow.conftest import Play
from tests.workflow.world import World

BUDGETS = """\
budgets:
  - {id: acme, each: tenant, per: month, tenants: acme, cost: 5, raised_by: fin-*}
  - {id: people, each: principal, per: day, calls: 10, at_limit: end}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of budgets."""
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    return tmp_path / "budgets.yaml"


def test_a_file_is_checked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says is shown, for everybody or for one; its mistakes are told with their lines."""
    assert client.run(["budgets", "check", str(file)]) == ExitCode.OK
    assert "acme: each tenant (acme) may use 5 USD a month; then ask" in capsys.readouterr().out
    assert client.run(["budgets", "check", str(file), "--tenant", "beta", "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert [budget["id"] for budget in answer["budgets"]] == ["people"]
    file.write_text(BUDGETS.replace("calls: 10", "call: 10"))
    assert client.run(["budgets", "check", str(file)]) == ExitCode.USAGE
    assert "budgets.yaml:3:45: there is no key 'call' here: did you mean calls?" in capsys.readouterr().err


def test_without_a_file_there_are_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said, with what to do."""
    monkeypatch.delenv("PERDURE_BUDGETS", raising=False)
    assert client.run(["budgets", "check"]) == ExitCode.USAGE
    assert "set PERDURE_BUDGETS" in capsys.readouterr().err


async def test_accounts_are_shown(tmp_path: Path, file: Path, database: Database, nursery: Nursery) -> None:
    """What is spent, set aside and left, of those budgets of which something was used."""
    now = datetime.now(UTC)
    month, day = period_of(now, "month"), period_of(now, "day")
    acme = Claim(Account("acme", "acme", None, month, "cost"), Decimal("1.50"), Decimal(5))
    ana = Claim(Account("people", "acme", "ana", day, "calls"), Decimal(1), Decimal(10))
    gone = Claim(Account("gone", "acme", None, day, "tokens"), Decimal(7), Decimal(10))
    async with PostgresEventLog.connect(database.url) as log:
        book, done = PostgresBook(log.statements), uuid4()
        await book.reserve(Hold(done, "t", "1"), [acme])
        await book.settle(done, {"cost": Decimal("0.25")})
        await book.reserve(Hold(uuid4(), "t", "1"), [acme, ana, gone])
        await book.raise_cap(uuid4(), acme.account, Decimal(1))
    reach = {"DATABASE_URL": database.url, "TEMPORAL_ADDRESS": "127.0.0.1:1", "PERDURE_BUDGETS": str(file)}
    perdure = Perdure(tmp_path, reach, nursery)
    told = await perdure("budgets", "show", "--json")
    assert told.json["accounts"] == [
        {
            "budget": "acme",
            "tenant": "acme",
            "principal": None,
            "period": month,
            "measure": "cost",
            "spent": 0.25,
            "reserved": 1.5,
            "cap": 5.0,
            "raised": 1.0,
            "left": 4.25,
        },
        {
            "budget": "gone",
            "tenant": "acme",
            "principal": None,
            "period": day,
            "measure": "tokens",
            "spent": 0.0,
            "reserved": 7.0,
            "cap": None,
            "raised": 0.0,
            "left": None,
        },
        {
            "budget": "people",
            "tenant": "acme",
            "principal": "ana",
            "period": day,
            "measure": "calls",
            "spent": 0.0,
            "reserved": 1.0,
            "cap": 10.0,
            "raised": 0.0,
            "left": 9.0,
        },
    ]
    page = (await perdure("budgets", "show", "--principal", "ana")).out.splitlines()
    assert page[1].split() == ["people", "acme", "/", "ana", day, "calls", "0", "1", "10", "9"]


async def test_more_is_allowed_and_refused(
    tmp_path: Path, play: Play, reach: Callable[[World], dict[str, str]], nursery: Nursery
) -> None:
    """By command: what waits is listed, and goes on or ends; a start can say what a thread may use."""
    world = await play({"go": [Reply.tools(("echo", {"text": "a"})), Reply.text("done")]})
    perdure = Perdure(tmp_path, reach(world), nursery)
    for thread, answer, code in (
        ("more", ("--turns", "5", "--reason", "fine"), ExitCode.OK),
        ("less", ("--refuse",), ExitCode.FAILED),
    ):
        waits = await perdure(
            "start", "go", "--thread", thread, "--limit", "turns=1", "--at-limit", "ask", "--wait", "--json"
        )
        assert waits.code == ExitCode.WAITING
        [pending] = (await perdure("pending", thread, "--json")).json["pending"]
        assert pending["kind"] == "budget"
        assert pending["question"] == "May it use more? the limit on turns was reached: 1 of 1"
        raised = await perdure("raise", thread, *answer, "--json")
        assert (raised.code, raised.json["request"]) == (ExitCode.OK, "raise")
        assert (await perdure("watch", thread, "--json")).code == code
    events = await world.events("more")
    [allowed] = [each for each in events if isinstance(each, BudgetRaised)]
    assert (allowed.by, allowed.more.turns, allowed.reason) == ("ana", 5, "fine")
    assert len([each for each in events if isinstance(each, BudgetExceeded)]) == 1
    assert [each.by for each in await world.events("less") if isinstance(each, BudgetRefused)] == ["ana"]
    started = (await world.events("more"))[0]
    assert isinstance(started, SessionStarted)
    assert (started.limits.turns, started.limits.at_limit) == (1, "ask")
    nothing = await perdure("raise", "more")
    assert (nothing.code, "say how much more" in nothing.err) == (ExitCode.USAGE, True)


def test_limits_are_written_by_name() -> None:
    """Of one tool too, and with what happens there."""
    terms = at_the_limit("degrade", "cheap", ("0.5",), ("fin-*",))
    found = limits(["cost=2.50", "tools.write_file=3", "turns=none"], **terms)
    assert (found.cost, found.tools, found.turns) == (Decimal("2.50"), {"write_file": 3}, None)
    assert (found.at_limit, found.degrade_to, found.warn_at, found.raised_by) == (
        "degrade",
        "cheap",
        (0.5,),
        ("fin-*",),
    )
    assert at_the_limit("end", None, None, None) == {"at_limit": "end"}


@pytest.mark.parametrize("given", ["calls=1", "tools.=1", "tools=1", "cost", "cost=0", "tools.x=0"])
def test_what_is_no_limit_is_refused(given: str) -> None:
    """With the names there are, or what is wrong with the amount."""
    with pytest.raises(BadUsage):
        limits([given])


def test_a_cheaper_model_belongs_to_degrading() -> None:
    """The one without the other says nothing that could be done."""
    for what, model in (("degrade", None), ("ask", "cheap")):
        with pytest.raises(BadUsage, match="belong together"):
            at_the_limit(what, model, None, None)


async def test_doctor_tells_of_budgets(tmp_path: Path, file: Path, database: Database, nursery: Nursery) -> None:
    """Where there are any: what is wrong with their file, that they are kept, and which have nothing left."""
    reach = {"DATABASE_URL": database.url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}

    async def told(**more: str) -> list[dict[str, object]]:
        doctor = await Perdure(tmp_path, {**reach, **more}, nursery)("doctor", "--json")
        return [check for check in doctor.json["checks"] if check["name"] == "budgets"]

    assert await told() == []
    account = Account("acme", "acme", None, period_of(datetime.now(UTC), "month"), "cost")
    async with PostgresEventLog.connect(database.url) as log:
        await PostgresBook(log.statements).reserve(Hold(uuid4(), "t", "1"), [Claim(account, Decimal(5), Decimal(5))])
    [check] = await told(PERDURE_BUDGETS=str(file))
    assert (check["ok"], check["detail"]) == (True, "2 in the file; nothing is left of acme of acme (cost)")
    wrong = tmp_path / "wrong.yaml"
    await asyncio.to_thread(wrong.write_text, BUDGETS.replace("calls: 10", "call: 10"))
    [check] = await told(PERDURE_BUDGETS=str(wrong))
    assert (check["ok"], "there is no key 'call'" in str(check["detail"])) == (False, True)
