"""The port between a consumer and the database: rows of a category, and a place in it that one process holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, Protocol
from uuid import UUID

from eventlog.encoding import Row
from eventlog.streams import Category


class HoldLost(Exception):
    """Another process reads for the consumer now, or moved its place: what was begun here changed nothing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be written into the log's database, in our own tables."""

    query: LiteralString
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A consumer's place, held by one process for a while."""

    consumer: str
    holder: UUID
    position: int
    """Global position of the last event that was dealt with; 0 before all."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind its category."""

    events: int
    """At most `MOST_COUNTED`, which stands for that many or more."""
    position: int | None
    """Where it stands; None where it never ran."""
    newest: int
    """The global position of the category's last event; 0 where there is none."""
    waiting_since: datetime | None
    """When the first event was written that it has not dealt with, UTC; None where there is none."""


MOST_COUNTED = 100_000
"""Events; nobody needs to know more exactly how much too late it is."""


class Feed(Protocol):
    """Gives rows in the order in which they became visible, and keeps places. Every method raises `LogUnavailable`."""

    async def take(
        self, consumer: str, holder: UUID, seconds: float, category: Category, *, from_now: bool
    ) -> Hold | None:
        """Hold the consumer's place for so long, or for longer; None where another process does.

        A consumer that never ran begins before the category's first event, or after its last one.
        """
        ...

    async def release(self, hold: Hold) -> None:
        """Let others take it at once."""
        ...

    async def rows(self, category: Category, start: int, size: int) -> Sequence[Row]:
        """At most so many rows of a category from a global position on; large content is not in them yet."""
        ...

    async def whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with their large content."""
        ...

    async def advance(self, hold: Hold, position: int, statements: Sequence[Statement]) -> Hold:
        """Carry the statements out and move the place, both or neither.

        Raises `HoldLost`, and `EntryRejected` where the database refuses a statement.
        """
        ...

    async def rewind(self, consumer: str, statements: Sequence[Statement]) -> None:
        """Let the consumer begin again before the first event, and carry the statements out with that."""
        ...

    async def write(self, statements: Sequence[Statement]) -> None:
        """Carry statements out together, beside any consumer. Raises `EntryRejected`."""
        ...

    async def ask(self, statement: Statement) -> Sequence[tuple[Any, ...]]:
        """The rows of our own tables that a query gives."""
        ...

    async def newest(self, category: Category) -> int:
        """The global position of the category's last event; 0 where there is none."""
        ...

    async def lag(self, consumer: str, category: Category) -> Lag:
        """How far it is behind."""
        ...
