"""Alerts of the ledger: said once for each limit and period, whatever happens to those who watch."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from eventlog.consumer import Follower
from eventlog.events import AnyEvent
from eventlog.ids import new_thread_id
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ALERT, stream_of
from ledger.alerts import Alert, UsageAlert, alert_of, read_alerts
from ledger.book import Book
from ledger.watch import Watch, watching
from policy.mistakes import InvalidFile
from tests.projections.facts import completed, replied, started

PATIENCE = 30.0
NOON = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


async def used(log: PostgresEventLog, *costs: str | None, tenant: str = "acme", at: datetime = NOON) -> None:
    """A thread with replies of these prices, and a tool call; entered."""
    replies = [replied("…", cost=None if cost is None else Decimal(cost)) for cost in costs]
    events: Sequence[AnyEvent] = [started().model_copy(update={"tenant": tenant}), *replies, completed("a", "A")]
    stream = stream_of(new_thread_id())
    for event in events:
        await log.append(stream, Entry(uuid4(), event, Metadata(at=at)))
    assert await Follower(log.feed, Book(log.feed).consumer).catch_up()


async def given(log: PostgresEventLog) -> list[UsageAlert]:
    """Every alert there was."""
    found = [alert_of(each) async for each in log.read_category(ALERT)]
    return [alert for alert in found if alert is not None]


def watch_of(log: PostgresEventLog, *alerts: Alert) -> Watch:
    """Somebody who watches."""
    return Watch(log, log.feed, alerts)


DAILY = Alert(id="daily", per="day", cost=Decimal(10))
MONTHLY = Alert(id="monthly", per="month", each="tenant", tenants=("a*",), cost=Decimal(15))


async def test_an_alert_is_given_once(postgres_log: PostgresEventLog) -> None:
    """When the limit is reached, and not again by more use, by another process or by one that began anew."""
    watch = watch_of(postgres_log, DAILY)
    await used(postgres_log, "9.99")
    await watch.look(NOON)
    assert await given(postgres_log) == []
    await used(postgres_log, "0.01", None)
    await watch.look(NOON)
    [alert] = await given(postgres_log)
    assert (alert.alert, alert.measure, alert.used, alert.limit, alert.period) == (
        "daily",
        "cost",
        Decimal(10),
        Decimal(10),
        "2026-02-28",
    )
    assert (alert.unpriced, alert.tenant) == (1, None)
    await used(postgres_log, "5")
    watches = [watch, *(watch_of(postgres_log, DAILY) for _ in range(4))]
    await asyncio.gather(*(each.look(NOON) for each in watches))
    assert await given(postgres_log) == [alert]
    assert [each.stream async for each in postgres_log.read_category(ALERT)] == ["alert:v1-daily"]


async def test_periods_and_tenants_are_counted_apart(postgres_log: PostgresEventLog) -> None:
    """A new day or month begins at nothing, and each tenant has its own; those that are not meant have none."""
    watch = watch_of(postgres_log, DAILY, MONTHLY)
    await used(postgres_log, "9", tenant="acme")
    await used(postgres_log, "99", tenant="bolt", at=NOON - timedelta(days=40))
    await watch.look(NOON)
    await used(postgres_log, "9", tenant="acme", at=NOON + timedelta(hours=11))
    await used(postgres_log, "14", tenant="aldi", at=NOON + timedelta(days=1))
    await watch.look(NOON + timedelta(days=1))
    told = {(alert.alert, alert.period, alert.tenant): alert.used for alert in await given(postgres_log)}
    assert told == {
        ("daily", "2026-02-28", None): 18,
        ("daily", "2026-03-01", None): 14,
        ("monthly", "2026-02", "acme"): 18,
    }


async def test_a_raised_limit_is_another_limit(postgres_log: PostgresEventLog) -> None:
    """Whoever allows more in the middle of a period is told again when that is used, too."""
    await used(postgres_log, "12")
    await watch_of(postgres_log, DAILY).look(NOON)
    raised = DAILY.model_copy(update={"cost": Decimal(20)})
    await watch_of(postgres_log, raised).look(NOON)
    assert [alert.limit for alert in await given(postgres_log)] == [10]
    await used(postgres_log, "12")
    await watch_of(postgres_log, raised).look(NOON)
    assert [alert.limit for alert in await given(postgres_log)] == [10, 20]


async def test_everything_the_ledger_counts_can_be_too_much(postgres_log: PostgresEventLog) -> None:
    """Tokens, calls, and calls whose price nobody knows."""
    alert = Alert(id="all", per="day", each="principal", tokens=30, calls=3, unpriced=1)
    await used(postgres_log, "0", None)
    await watch_of(postgres_log, alert).look(NOON)
    assert {alert.measure: alert.used for alert in await given(postgres_log)} == {
        "tokens": 30,
        "calls": 3,
        "unpriced": 1,
    }


async def test_a_worker_watches(postgres_log: PostgresEventLog) -> None:
    """It looks when it begins, and survives whatever keeps it from looking."""
    await used(postgres_log, "10", at=datetime.now(UTC))
    async with watching(watch_of(postgres_log, DAILY)), asyncio.timeout(PATIENCE):
        while not await given(postgres_log):
            await asyncio.sleep(0.02)


async def test_a_database_without_a_ledger_is_waited_for(plain_log: PostgresEventLog) -> None:
    """It is told, and nothing ends."""
    with capture_logs() as lines:
        async with watching(watch_of(plain_log, DAILY)), asyncio.timeout(PATIENCE):
            while not lines:
                await asyncio.sleep(0.02)
    assert lines[0]["event"] == "alerts_wait"


def test_a_file_of_alerts_is_read(tmp_path: Path) -> None:
    """What is wrong with it is said with its line."""
    file = tmp_path / "alerts.yaml"
    file.write_text("alerts:\n  - {id: daily, per: day, cost: 10}\n")
    assert read_alerts(file).alerts == (DAILY,)
    file.write_text("alerts:\n  - {id: a, per: week, cost: 10}\n  - {id: b, per: day}\n")
    with pytest.raises(InvalidFile) as error:
        read_alerts(file)
    assert [line.partition(".yaml:")[2].partition(":")[0] for line in error.value.lines] == ["2", "3"]
    file.write_text("alerts:\n  - {id: a, per: day, cost: 1}\n  - {id: a, per: day, cost: 2}\n")
    with pytest.raises(InvalidFile, match="two alerts have the id 'a'"):
        read_alerts(file)
