"""Deliveries in a table beside the log."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, LiteralString

from eventlog.feed import Statement
from eventlog.statements import Statements
from notices.deliveries import Backlog, Delivery

ENTER: Final[LiteralString] = """
INSERT INTO perdure.deliveries (notice, target, kind, event_id, due)
VALUES (%s::text, %s::text, %s::text, %s::uuid, %s::timestamptz)
    ON CONFLICT (notice, target) DO NOTHING
"""

CLAIM: Final[LiteralString] = """
UPDATE perdure.deliveries delivery
   SET attempts = delivery.attempts + 1, due = clock_timestamp() + make_interval(secs => %s::float8)
  FROM (SELECT notice, target FROM perdure.deliveries
         WHERE target = %s::text AND due <= clock_timestamp()
         ORDER BY due
         LIMIT %s::int
           FOR UPDATE SKIP LOCKED) claimed
 WHERE delivery.notice = claimed.notice AND delivery.target = claimed.target
RETURNING delivery.notice, delivery.target, delivery.kind, delivery.event_id, delivery.attempts
"""

ORPHANS: Final[LiteralString] = """
SELECT notice, target, kind, event_id, attempts
  FROM perdure.deliveries
 WHERE target <> ALL (%s::text[]) AND due < clock_timestamp() - make_interval(secs => %s::float8)
 ORDER BY due
 LIMIT 100
"""

FINISH: Final[LiteralString] = """
DELETE FROM perdure.deliveries WHERE notice = %s::text AND target = %s::text RETURNING notice
"""

POSTPONE: Final[LiteralString] = """
UPDATE perdure.deliveries
   SET due = clock_timestamp() + make_interval(secs => %s::float8), problem = %s::text
 WHERE notice = %s::text AND target = %s::text AND attempts = %s::int
RETURNING notice
"""

BACKLOG: Final[LiteralString] = """
SELECT target,
       count(*) FILTER (WHERE attempts > 0 OR due <= clock_timestamp()),
       count(*) FILTER (WHERE attempts = 0 AND due > clock_timestamp()),
       min(due) FILTER (WHERE attempts > 0 OR due <= clock_timestamp()),
       (array_agg(problem ORDER BY due DESC) FILTER (WHERE problem IS NOT NULL))[1]
  FROM perdure.deliveries
 GROUP BY target
 ORDER BY target
"""


class PostgresDeliveries:
    """See `Deliveries`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def enter(self, delivery: Delivery, due: datetime) -> Statement:
        """What keeps a delivery; see `Deliveries.enter`."""
        return Statement(ENTER, (delivery.notice, delivery.target, delivery.kind, delivery.event_id, due))

    async def claim(self, target: str, most: int, seconds: float) -> Sequence[Delivery]:
        """So many that are due; see `Deliveries.claim`."""
        return [Delivery(*row) for row in await self._statements.rows(CLAIM, seconds, target, most)]

    async def orphans(self, targets: Collection[str], seconds: float) -> Sequence[Delivery]:
        """A few that are to go to none of these; see `Deliveries.orphans`."""
        return [Delivery(*row) for row in await self._statements.rows(ORPHANS, list(targets), seconds)]

    async def finish(self, delivery: Delivery) -> None:
        """It need not be delivered any more."""
        await self._statements.rows(FINISH, delivery.notice, delivery.target)

    async def postpone(self, delivery: Delivery, seconds: float, problem: str) -> None:
        """It is due again later; see `Deliveries.postpone`."""
        await self._statements.rows(POSTPONE, seconds, problem, delivery.notice, delivery.target, delivery.attempts)

    async def backlog(self) -> Sequence[Backlog]:
        """What waits, by target."""
        return [Backlog(*row) for row in await self._statements.rows(BACKLOG)]
