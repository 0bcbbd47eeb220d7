"""The port behind which the log stands, what an append answers, and what can go wrong.

    LogError
    ├── LogUnavailable          transient: the database cannot be reached or is too busy; ask again
    │   └── LogMisconfigured    it will stay so until somebody repairs the installation, rights or address
    ├── LogCorrupted            permanent: what was read is no event
    └── EntryRejected           permanent: the database will never accept this entry

A stream or category that cannot be one is refused with `streams.InvalidName`.

An append answers with an outcome, not an exception: only the caller knows whether a conflict is a defect.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import UUID

from eventlog.events import AnyEvent
from eventlog.metadata import Metadata
from eventlog.streams import Category, StreamName

NO_STREAM = -1
"""The expected version of a stream that must not exist yet."""
PAGE = 500
"""Events fetched at a time, at most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be appended."""

    id: UUID
    event: AnyEvent
    metadata: Metadata


@dataclass(frozen=True, init=False)
class Recorded:
    """An event as it stands in the log."""

    id: UUID
    stream: StreamName
    position: int
    """In its stream: 0, 1, 2, … without gaps."""
    global_position: int
    """In the whole log: ordered within a category, with gaps."""
    time: datetime
    """When the database wrote it, UTC. Not monotonic."""
    event: AnyEvent
    metadata: Metadata
    """May be given as what reads it: then it is read when it is first asked for, and may raise `LogCorrupted`."""
    size: int = field(default=0, compare=False)
    """Characters of JSON the event was read from; 0 where it was not."""

    def __init__(
        self,
        id: UUID,  # noqa: A002 - the field's name
        stream: StreamName,
        position: int,
        global_position: int,
        time: datetime,
        event: AnyEvent,
        metadata: Metadata | Callable[[], Metadata],
        size: int = 0,
    ) -> None:
        fields = self.__dict__  # past the lock of a frozen class, in less than half the time its own `__init__` takes
        fields["id"] = id
        fields["stream"] = stream
        fields["position"] = position
        fields["global_position"] = global_position
        fields["time"] = time
        fields["event"] = event
        fields["_read_metadata" if callable(metadata) else "metadata"] = metadata
        fields["size"] = size

    if not TYPE_CHECKING:  # it would make every name an attribute

        def __getattr__(self, name: str) -> Metadata:
            if name != "metadata":
                raise AttributeError(name=name, obj=self)
            fields = self.__dict__
            fields["metadata"] = fields["_read_metadata"]()
            return fields["metadata"]


@dataclass(frozen=True, slots=True)
class Appended:
    """The event is durable, and this call wrote it."""

    position: int
    size: int = field(default=0, compare=False)
    """Characters of JSON it was written as; 0 where nobody counted."""


@dataclass(frozen=True, slots=True)
class AlreadyAppended:
    """The event was in the log before, with the same content: a success."""

    recorded: Recorded

    @property
    def position(self) -> int:
        """Where it has been standing."""
        return self.recorded.position


@dataclass(frozen=True, slots=True)
class VersionConflict:
    """Somebody else wrote to the stream first."""

    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class IdConflict:
    """The id is taken by an event that says something else."""

    recorded: Recorded


Outcome: TypeAlias = Appended | AlreadyAppended | VersionConflict | IdConflict


class LogError(Exception):
    """The log did not do what it was asked."""


class LogUnavailable(LogError):
    """The log cannot be reached or is too busy; the same call may succeed later."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        """What is to be done to the database, which answers; None where it may not even do that."""


class LogMisconfigured(LogUnavailable):
    """The log is not set up as it must be; the message says what to do."""


class LogCorrupted(LogError):
    """What stands in the log is no event."""


class EntryRejected(LogError):
    """The log will never accept this entry."""


class EventLog(Protocol):
    """An append-only log of streams."""

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append one event and wait until it is durable.

        `expected_version` is the position of the stream's last event, `NO_STREAM` for none, `None` for any. An id
        that is already in the log is looked up before a conflict is believed. Raises `LogUnavailable` and
        `EntryRejected`.
        """
        ...

    def read(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Recorded]:
        """Every event of a stream from position `start` up to and including `end`, page by page, however long."""
        ...

    def chunks(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Sequence[Recorded]]:
        """What `read` gives, some events at a time and never none: cheaper for whoever folds a long stream."""
        ...

    def read_category(self, category: Category, start: int = 1, end: int | None = None) -> AsyncIterator[Recorded]:
        """Every event of a category from global position `start` (inclusive), in order, up to now."""
        ...

    async def streams(self, category: Category) -> Sequence[StreamName]:
        """Every stream of a category, in the order in which they began, whatever is written in them.

        Other programs may have given theirs names that no thread has.
        """
        ...

    async def find(self, id_: UUID) -> Recorded | None:
        """The event with this id, if it is in the log."""
        ...

    async def version(self, stream: StreamName) -> int:
        """The position of the stream's last event; `NO_STREAM` where there is none."""
        ...

    async def check(self) -> str:
        """The version of Message DB that answers. Raises `LogUnavailable`."""
        ...
