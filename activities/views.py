"""Views of threads, kept warm: each is continued from where it was left, so that a read costs only what is new."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventlog.log import NO_STREAM, EventLog
from eventlog.streams import StreamName
from projections.fold import Projection

S = TypeVar("S")
R = TypeVar("R")

CAPACITY = 256
"""Views kept; the least recently read goes first."""


@dataclass(slots=True)
class View:
    """A projection of one stream, so far."""

    projection: Projection[Any]
    state: Any
    position: int = NO_STREAM
    last_id: UUID | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Seen(Generic[R]):
    """What was read of a view, and where it stood."""

    value: R
    position: int
    last_id: UUID | None


class Views:
    """Reads projections through the log."""

    def __init__(self, log: EventLog, capacity: int = CAPACITY) -> None:
        self._log = log
        self._capacity = capacity
        self._views: OrderedDict[tuple[StreamName, str], View] = OrderedDict()

    async def read(
        self, projection: Projection[S], stream: StreamName, see: Callable[[S], R], *, at: int | None = None
    ) -> Seen[R]:
        """`see` of the view at position `at`, or now.

        `see` is called before anybody else may continue the view: it must not keep the state itself.
        """
        view = self._warm(projection, stream)
        async with view.lock:
            if at is not None and at < view.position:
                view = View(projection, projection.initial())
            await self._continue(view, stream, at)
            return Seen(see(view.state), view.position, view.last_id)

    def _warm(self, projection: Projection[S], stream: StreamName) -> View:
        key = (stream, projection.name)
        view = self._views.pop(key, None) or View(projection, projection.initial())
        self._views[key] = view
        if len(self._views) > self._capacity:
            self._views.popitem(last=False)
        return view

    async def _continue(self, view: View, stream: StreamName, at: int | None) -> None:
        if at is not None and at <= view.position:
            return
        async for recorded in self._log.read(stream, view.position + 1, at):
            view.state = view.projection.evolve(view.state, recorded)
            view.position, view.last_id = recorded.position, recorded.id
