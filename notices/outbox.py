"""From events to deliveries: what the log's consumer `notices` writes down for each event, and when it is due."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from eventlog.consumer import Consumer
from eventlog.feed import Statement
from eventlog.log import Recorded
from eventlog.streams import ALERT
from ledger.alerts import alert_of
from notices.deliveries import Deliveries, Delivery
from notices.kinds import EXPIRING, KINDS, SETTLED_BY, name_of
from notices.target import Target

NAME: Final = "notices"
OLD_NEWS: Final = timedelta(days=1)
"""What happened longer ago is told only where somebody is still asked: notices may be set up late."""
AT_LEAST_WAITED: Final = 0.75
"""The share of its time that a question waits before anybody is reminded of it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Outbox:
    """Makes deliveries of events."""

    def __init__(
        self,
        deliveries: Deliveries,
        targets: Sequence[Target],
        remind: timedelta,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._deliveries = deliveries
        self._targets = targets
        self._remind = remind
        self._clock = clock

    @property
    def consumers(self) -> tuple[Consumer, Consumer]:
        """They follow threads and alerts from the log's beginning, so that what waits already is told, too."""
        return (
            Consumer(NAME, self.handle, types=frozenset(KINDS)),
            Consumer(f"{NAME}-alerts", self.handle, category=ALERT, types=frozenset(KINDS)),
        )

    async def handle(self, events: Sequence[Recorded]) -> Sequence[Statement]:
        """What keeps the deliveries these events give rise to."""
        return [statement for recorded in events for statement in self._statements(recorded)]

    def _statements(self, recorded: Recorded) -> Iterator[Statement]:
        for notice, kind, due in self._due(recorded):
            for target in self._targets:
                if target.wants(kind, tenant_of(recorded)):
                    yield self._deliveries.enter(Delivery(notice, target.name, kind, recorded.id), due)

    def _due(self, recorded: Recorded) -> Iterator[tuple[str, str, datetime]]:
        """Each notice's id and kind, and when it is to be sent."""
        name, at = name_of(recorded.event), recorded.metadata.at
        if name in SETTLED_BY or self._clock() - at < OLD_NEWS:
            yield str(recorded.id), KINDS[name], at
        expires_at = getattr(recorded.event, "expires_at", None)
        if name in EXPIRING and isinstance(expires_at, datetime):
            yield reminder_id(recorded), EXPIRING[name], reminded_at(at, expires_at, self._remind)


def tenant_of(recorded: Recorded) -> str:
    """On whose behalf; nobody's where it is about all tenants together."""
    alert = alert_of(recorded)
    return recorded.metadata.tenant if alert is None else alert.tenant or ""


def reminder_id(recorded: Recorded) -> str:
    """What a reminder of a question is known by."""
    return f"{recorded.id}-expiring"


def reminded_at(asked: datetime, expires: datetime, before: timedelta) -> datetime:
    """When people are reminded: so long before it expires, but not before most of its time is over."""
    return max(expires - before, asked + (expires - asked) * AT_LEAST_WAITED)
