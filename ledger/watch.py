"""Watches the ledger and gives the alarm: each alert once, however many processes watch."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

import structlog

from eventlog.feed import Feed, Statement
from eventlog.log import Appended, Entry, EventLog, LogError
from eventlog.metadata import Metadata
from ledger.alerts import Alert, Period, UsageAlert, Used, first_day, last_day, period_of, raised

LOOK_AGAIN = 5.0
"""Seconds."""
AFTERWARDS = timedelta(hours=1)
"""What is entered so long after midnight may belong to the day before."""

NEWEST: Final[LiteralString] = "SELECT coalesce(max(global_position), 0) FROM perdure.ledger"

DAYS: Final[LiteralString] = "SELECT DISTINCT day FROM perdure.ledger WHERE global_position > %s::bigint"

USED: Final[LiteralString] = """
SELECT tenant, principal,
       coalesce(sum(cost_usd), 0),
       sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint,
       sum(calls + failures + unknown)::bigint,
       count(*) FILTER (WHERE cost_usd IS NULL)
  FROM perdure.ledger
 WHERE day BETWEEN %s::date AND %s::date
 GROUP BY tenant, principal
"""

logger = structlog.get_logger(__name__)


class Watch:
    """Looks at the periods in which something was entered since it looked last."""

    def __init__(self, log: EventLog, feed: Feed, alerts: Iterable[Alert]) -> None:
        self._log = log
        self._feed = feed
        self.alerts = tuple(alerts)
        self._newest: int | None = None
        """The highest entry it has seen; those below it come again where the ledger is made again."""
        self._told: set[UUID] = set()

    async def look(self, now: datetime) -> None:
        """Say what is to be said. Raises `LogError`."""
        [(newest,)] = await self._feed.ask(Statement(NEWEST))
        if self._newest is not None and newest <= self._newest:
            return
        for per, period in sorted(await self._periods(now)):
            for alert in raised(self.alerts, per, period, await self._used(period)):
                await self._tell(alert, now)
        self._newest = newest

    async def _periods(self, now: datetime) -> set[tuple[Period, str]]:
        days: set[date] = {now.date(), (now - AFTERWARDS).date()}
        if self._newest is not None:
            days = {day for (day,) in await self._feed.ask(Statement(DAYS, (self._newest,)))}
        return {(per, period_of(day, per)) for day in days for per in {alert.per for alert in self.alerts}}

    async def _used(self, period: str) -> list[Used]:
        days = (first_day(period), last_day(period))
        return [Used(*row) for row in await self._feed.ask(Statement(USED, days))]

    async def _tell(self, alert: UsageAlert, now: datetime) -> None:
        if alert.id in self._told:
            return
        metadata = Metadata(at=now, tenant=alert.tenant or "default", principal="perdure")
        outcome = await self._log.append(alert.stream, Entry(alert.id, alert.written(), metadata))
        self._told.add(alert.id)  # whoever wrote it: another process may have noticed earlier, and less
        if isinstance(outcome, Appended):
            told = alert.model_dump(mode="json", exclude={"version"})
            logger.warning("usage_alert", **told)


@asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[None]:
    """The ledger is watched for the block's duration, where there is anything to be said of it."""
    if not watch.alerts:
        yield
        return
    task = asyncio.create_task(_look_on(watch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look_on(watch: Watch) -> None:
    while True:
        try:
            await watch.look(datetime.now(UTC))
        except LogError as problem:
            logger.warning("alerts_wait", problem=str(problem))
        except Exception:
            logger.exception("alerts_failed")
        await asyncio.sleep(LOOK_AGAIN)
