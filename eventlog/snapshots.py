"""The port behind which snapshots of views are kept: never the truth, and none of them is ever missed."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from eventlog.streams import StreamName


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a view of a stream was after one of its events."""

    stream: StreamName
    projection: str
    """The view's name."""
    version: str
    """Of the code that made it."""
    position: int
    """Of the last event in it."""
    event_id: UUID
    """The id of that event."""
    state: bytes


class Snapshots(Protocol):
    """Keeps the newest snapshot of each view of each stream."""

    async def find(self, stream: StreamName, projection: str, version: str, at: int | None = None) -> Snapshot | None:
        """The snapshot of this version, if it is no newer than position `at`.

        One whose event does not stand in the stream where the snapshot says is not found. Raises `LogError`.
        """
        ...

    async def keep(self, snapshot: Snapshot) -> None:
        """Put it in the place of the one that is kept; where that one is newer and would be found, nothing changes.

        Raises `LogError`.
        """
        ...
