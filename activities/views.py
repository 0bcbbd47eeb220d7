"""Views of threads, kept warm: each is continued from where it was left, so that a read costs only what is new."""

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventlog.log import NO_STREAM, EventLog, Recorded
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

    def take(self, chunk: Sequence[Recorded]) -> None:
        """Continue it with these events."""
        state, evolve = self.state, self.projection.evolve
        for recorded in chunk:
            state = evolve(state, recorded)
        self.state, self.position, self.last_id = state, chunk[-1].position, chunk[-1].id


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
        with _nothing_collected() if view.position == NO_STREAM else nullcontext():
            async for chunk in self._log.chunks(stream, view.position + 1, at):
                view.take(chunk)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Lets the garbage collector rest: a view grows by what is read, and it would look all of that through each time.

    Where several do so at once, the first to end wakes it for all.
    """
    awake = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if awake:
            gc.enable()
