"""What is still to be delivered, and to whom: references to events, kept in the log's database.

A delivery is claimed by moving the time at which it is due: whoever claimed it and died has it tried again by
somebody else, once that time has come, under the same id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from eventlog.feed import Statement


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice to one target."""

    notice: str
    target: str
    kind: str
    event_id: UUID
    attempts: int = 0
    """With this one."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one target."""

    target: str
    waiting: int
    """Notices that are due, or were tried and did not come through."""
    later: int
    """Reminders whose time has not come."""
    oldest: datetime | None
    """When the first of those that wait was to be sent."""
    problem: str | None
    """What happened when one of them was last tried."""


class Deliveries(Protocol):
    """Keeps deliveries. Every method raises `LogUnavailable`."""

    def enter(self, delivery: Delivery, due: datetime) -> Statement:
        """What keeps a delivery, once, when it is carried out."""
        ...

    async def claim(self, target: str, most: int, seconds: float) -> Sequence[Delivery]:
        """So many that are due, for this process alone and for so long; each counts as an attempt."""
        ...

    async def orphans(self, targets: Collection[str], seconds: float) -> Sequence[Delivery]:
        """A few that are to go to none of these, and that nobody has claimed for so many seconds."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """It need not be delivered any more."""
        ...

    async def postpone(self, delivery: Delivery, seconds: float, problem: str) -> None:
        """It did not come through, and is due again in so many seconds."""
        ...

    async def backlog(self) -> Sequence[Backlog]:
        """What waits, by target."""
        ...
