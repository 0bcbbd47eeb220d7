"""A view of one stream as far as it has been read, and how much it takes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventlog.log import NO_STREAM, Recorded
from eventlog.snapshots import Snapshot
from eventlog.streams import StreamName
from projections.fold import Projection

IN_MEMORY = 5
"""Bytes that a byte of a state's JSON takes as Python objects, and what a transcript keeps rendered of it;
`bench/snapshots.py` measures it."""
EMPTY = 4096
"""Bytes that any view takes."""


@dataclass(slots=True)
class View:
    """A projection of one stream, so far."""

    projection: Projection[Any]
    stream: StreamName
    state: Any
    position: int = NO_STREAM
    last_id: UUID | None = None
    kept: int = NO_STREAM
    """The position of the newest snapshot that we know of."""
    measured: int = 0
    """The bytes of JSON that the state took there."""
    taken: int = 0
    """The characters of JSON that were folded into it since."""
    charged: int = 0
    """The bytes of memory that its cache counts for it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, projection: Projection[Any], stream: StreamName) -> "View":
        """One that has seen nothing yet."""
        return cls(projection, stream, projection.initial())

    @property
    def key(self) -> tuple[StreamName, str, int]:
        """What tells it from other views."""
        return self.stream, self.projection.name, self.projection.version

    @property
    def weight(self) -> int:
        """The bytes of memory it takes, at most: what it is made of is never more than what was read.

        Looking at every object of it would cost as much as folding it; what was read is known, and where a snapshot
        was made, so is the state's own size.
        """
        return EMPTY + IN_MEMORY * (self.measured + self.taken)

    def take(self, chunk: Sequence[Recorded]) -> None:
        """Continue it with these events."""
        state, evolve = self.state, self.projection.evolve
        for recorded in chunk:
            state = evolve(state, recorded)
        self.state, self.position, self.last_id = state, chunk[-1].position, chunk[-1].id
        self.taken += sum([recorded.size for recorded in chunk])

    def resume(self, state: Any, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        self.state, self.position, self.last_id = state, snapshot.position, snapshot.event_id
        self.measure(len(snapshot.state))

    def measure(self, size: int) -> None:
        """Here its state takes so many bytes of JSON, and has been kept if it can be."""
        self.kept, self.measured, self.taken = self.position, size, 0
