"""`perdure usage` and `perdure prices`: what was used, what it cost, and at which prices."""

import csv
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest

import client
from cli.exits import ExitCode
from cli.files_check import files_check
from cli.ledger_check import standing
from eventlog.consumer import Follower, following
from eventlog.events import AnyEvent
from eventlog.feed import Lag
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from ledger.alerts import Alert
from ledger.book import Book
from ledger.watch import Watch
from settings import Settings
from tests.cli.conftest import Perdure
from tests.cli.nursery import Nursery
from tests.conftest import Database
from tests.projections.facts import asking, completed, model_failed, replied, started

JANUARY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)


@pytest.fixture
async def log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """A log with two threads of two tenants: no worker has ever seen it."""
    async with PostgresEventLog.connect(database.url) as opened:
        acme = started().model_copy(update={"tenant": "acme"})
        await _write(opened, "one", [acme, asking(1, 1), model_failed(1), replied("…", cost=Decimal("0.10"))])
        await _write(opened, "one", [completed("a", "A", name="=search")], JANUARY + timedelta(minutes=1))
        bolt = started().model_copy(update={"tenant": "bolt"})
        await _write(opened, "two", [bolt, replied("…", cost=Decimal("0.20")), replied("…", step=2, cost=None)])
        yield opened


async def _write(log: PostgresEventLog, thread: str, events: Sequence[AnyEvent], at: datetime = JANUARY) -> None:
    for event in events:
        await log.append(stream_of(ThreadId(thread)), Entry(uuid4(), event, Metadata(at=at)))


@pytest.fixture
def perdure(tmp_path: Path, log: PostgresEventLog, database: Database, nursery: Nursery) -> Perdure:
    """The command where there is a database and nothing else."""
    del log
    return Perdure(tmp_path, {"DATABASE_URL": database.url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}, nursery)


async def test_usage_is_told_without_a_worker(perdure: Perdure) -> None:
    """The command itself brings the ledger up to date: by model and tool, with what is not known said."""
    told = await perdure("usage")
    assert told.code == ExitCode.OK
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[1][:3] == ["claude-test", "—", "3"]
    assert told.out.count("$0.3000 + 1 unpriced") == 2
    assert lines[2][:2] == ["—", "=search"]
    assert lines[3][0] == "total"
    assert "prices shows which prices are known" in told.err


async def test_usage_as_json(perdure: Perdure) -> None:
    """Lines by what was asked for, a total, and how far the ledger is behind."""
    answer = (await perdure("usage", "--by", "tenant,month", "--from", "2026-01", "--to", "2026-01", "--json")).json
    assert (answer["by"], answer["from"], answer["to"]) == (["tenant", "month"], "2026-01-01", "2026-01-31")
    assert [(line["tenant"], line["month"], line["cost_usd"]) for line in answer["lines"]] == [
        ("acme", "2026-01", 0.1),
        ("bolt", "2026-01", 0.2),
    ]
    assert (answer["total"]["model_calls"], answer["total"]["model_failures"], answer["total"]["unpriced"]) == (3, 1, 1)
    assert answer["behind"] == 0


async def test_usage_as_csv(perdure: Perdure) -> None:
    """A table with exact amounts, in which no name is a formula."""
    told = await perdure("usage", "one", "--by", "tool", "--by", "day", "--csv")
    found = list(csv.DictReader(StringIO(told.out)))
    assert [(row["tool"], row["day"], row["cost_usd"], row["tool_calls"]) for row in found] == [
        ("'=search", "2026-02-01", "0", "1"),
        ("", "2026-01-31", "0.10", "0"),
    ]


async def test_a_thread_that_is_not_there_has_no_usage(perdure: Perdure) -> None:
    """It is said, and not that it used nothing."""
    told = await perdure("usage", "three", "--json")
    assert (told.code, told.json["error"]["message"]) == (ExitCode.NOT_FOUND, "there is no thread three")


async def test_the_ledger_is_made_again(perdure: Perdure, log: PostgresEventLog) -> None:
    """Also while a worker keeps it, and with the same totals."""
    follower = Follower(log.feed, Book(log.feed).consumer)
    before = (await perdure("usage", "--json")).json
    async with following(follower):
        again = (await perdure("usage", "--rebuild", "--json")).json
    assert again == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--by", "hour"), "usage cannot be told by 'hour', only by thread, tenant"),
        (("--from", "yesterday"), "--from yesterday is no day"),
        (("--to", "2026-13"), "--to 2026-13 is no day"),
        (("no thread",), "'no thread' cannot be a thread id"),
    ],
)
def test_what_cannot_be_asked_is_named(
    arguments: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mistake is said, and nothing is looked for."""
    assert client.run(["usage", *arguments]) == ExitCode.USAGE
    assert problem in capsys.readouterr().err


def test_prices_are_shown_with_their_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which price of a model or tool holds, since when, and who says so; on any day."""
    monkeypatch.delenv("COLUMNS", raising=False)
    rates = {"output": 2, "cache_read": 0, "cache_write": 0}
    models = {"mine": [{"input": 1, **rates}, {"from": "2026-06-01", "input": "0.5", **rates}]}
    own = tmp_path / "prices.json"
    own.write_text(json.dumps({"models": models, "tools": {"search": {"call": "0.01"}}}))
    monkeypatch.setenv("PERDURE_PRICES_FILE", str(own))
    assert client.run(["prices", "mine", "--on", "2026-05-31", "--json"]) == ExitCode.OK
    [price] = json.loads(capsys.readouterr().out)["prices"]
    assert (price["kind"], price["name"], price["own"], len(price["prices"])) == ("model", "mine", True, 2)
    assert price["holds"]["input"] == 1
    assert client.run(["prices", "mine", "search"]) == ExitCode.OK
    page = capsys.readouterr().out
    assert "2026-06-01" in page
    assert "$0.01/call" in page
    assert client.run(["prices"]) == ExitCode.OK
    assert "claude-opus-5" in capsys.readouterr().out
    assert client.run(["prices", "theirs"]) == ExitCode.NOT_FOUND
    assert "PERDURE_PRICES_FILE" in capsys.readouterr().err


async def test_doctor_tells_how_far_the_ledger_is_behind(perdure: Perdure) -> None:
    """Unentered events are no trouble while they are new; afterwards nobody enters them."""
    [before] = [each for each in (await perdure("doctor", "--json")).json["checks"] if each["name"] == "ledger"]
    assert before["ok"]
    assert before["detail"].startswith("is 8 events behind the log, the first of ")
    await perdure("usage")
    [after] = [each for each in (await perdure("doctor", "--json")).json["checks"] if each["name"] == "ledger"]
    assert after["detail"] == "has all that is in the log"
    late = standing(Lag(3, 1, 9, JANUARY), JANUARY + timedelta(minutes=5))
    assert (late.ok, late.detail) == (False, "is 3 events behind the log, the first of 300 s ago")
    assert "PERDURE_CONSUMERS" in late.remedy


def test_doctor_reads_the_files_of_prices_and_alerts(tmp_path: Path) -> None:
    """Nothing is said where there are none; where one is wrong, what is wrong with it and where to correct it."""
    assert list(files_check(Settings())) == []
    prices, alerts = tmp_path / "prices.json", tmp_path / "alerts.yaml"
    prices.write_text('{"tools": {"search": {"call": "0.01"}}}')
    alerts.write_text("alerts: [{id: dear, per: day, cost: 5}]")
    settings = Settings(prices_file=prices, alerts=alerts)
    assert [each.ok for each in files_check(settings)] == [True, True]
    prices.write_text('{"models": {"m": {"input": "much"}}}')
    alerts.write_text("alerts: [{id: dear, per: week, cost: 5}]")
    of_prices, of_alerts = files_check(settings)
    assert (of_prices.ok, of_alerts.ok) == (False, False)
    assert "models.m.0.input: Input should be a valid decimal" in of_prices.detail
    assert "alerts.yaml:1:26: per is" in of_alerts.detail
    assert "PERDURE_PRICES_FILE" in of_prices.remedy


def test_a_price_file_that_is_none_is_no_defect_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever named it is told what is wrong with it, and that it is theirs to correct."""
    prices = tmp_path / "prices.json"
    prices.write_text("{}")
    monkeypatch.setenv("PERDURE_PRICES_FILE", str(prices))
    assert client.run(["prices"]) == ExitCode.USAGE
    assert "it has no price" in capsys.readouterr().err


async def test_alerts_are_shown(perdure: Perdure, log: PostgresEventLog) -> None:
    """What was too much of what, whose and when; of the days that are asked about."""
    assert "no alert was given" in (await perdure("usage", "--alerts")).out
    await perdure("usage")
    alerts = [Alert(id="acme-day", per="day", each="tenant", tenants=("acme",), cost=Decimal("0.1"))]
    await Watch(log, log.feed, alerts).look(JANUARY)
    answer = (await perdure("usage", "--alerts", "--from", "2026-01", "--json")).json
    [alert] = answer["alerts"]
    assert {name: alert[name] for name in ("alert", "period", "tenant", "used")} == {
        "alert": "acme-day",
        "period": "2026-01-31",
        "tenant": "acme",
        "used": 0.1,
    }
    page = (await perdure("usage", "--alerts")).out
    assert "$0.10" in page
    assert (await perdure("usage", "--alerts", "--from", "2026-02", "--json")).json == {"alerts": []}
