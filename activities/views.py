"""Views of threads, kept warm: each is continued from where it was left, so that a read costs only what is new.

What this process writes itself continues them too, so that a thread which stays with one worker is hardly ever read.

What is kept is bounded by the memory it takes, as `View.weight` estimates it. The least recently read view goes first;
the one just read stays in any case, or a thread beyond the bound would be read whole at every step.
"""

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from activities.view import View
from eventlog.log import NO_STREAM, EventLog, Recorded
from eventlog.streams import StreamName
from projections.fold import Projection

S = TypeVar("S")
R = TypeVar("R")

CAPACITY = 256 * 1024 * 1024
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[R]):
    """What was read of a view, and where it stood."""

    value: R
    position: int
    last_id: UUID | None


class Keeper(Protocol):
    """Keeps views between processes; see `activities/keeper.py`. Nothing here fails for its sake."""

    async def restore(self, view: View, at: int | None) -> None:
        """Bring a view that has seen nothing to what was kept of it, if that is not past `at`."""
        ...

    def offer(self, view: View) -> None:
        """Keep it soon, if it is worth it; nobody waits for that."""
        ...


class Views:
    """Reads projections through the log."""

    def __init__(self, log: EventLog, keeper: Keeper | None = None, capacity: int = CAPACITY) -> None:
        self._log = log
        self._keeper = keeper
        self._capacity = capacity
        self._views: OrderedDict[tuple[StreamName, str, int], View] = OrderedDict()
        self._kinds: set[tuple[str, int]] = set()
        """The projections that were ever read, by name and version."""
        self._weight = 0

    @property
    def weight(self) -> int:
        """Bytes of memory that the views take which are kept."""
        return self._weight

    async def read(
        self,
        projection: Projection[S],
        stream: StreamName,
        see: Callable[[S], R],
        *,
        at: int | None = None,
        least: int | None = None,
    ) -> Seen[R]:
        """`see` of the view at position `at`, or now; one that has come as far as `least` is recent enough.

        `see` is called before anybody else may continue the view: it must not keep the state itself.
        """
        view = self._warm(projection, stream)
        async with view.lock:
            passed = at is not None and at < view.position
            shown = View.of(projection, stream) if passed else view
            if least is None or shown.position < least:
                await self._continue(shown, at)
            seen = Seen(see(shown.state), shown.position, shown.last_id)
        self._weigh(view)
        if self._keeper is not None:
            self._keeper.offer(view)
        return seen

    def learn(self, recorded: Recorded) -> None:
        """Continue the views that stand right before this event, which was just written here.

        An append tells neither the global position nor the database's clock: no view that is read here looks at them.
        """
        for name, version in self._kinds:
            view = self._views.get((recorded.stream, name, version))
            if view is not None and view.position == recorded.position - 1 and not view.lock.locked():
                view.take([recorded])
                self._weigh(view)

    def _warm(self, projection: Projection[S], stream: StreamName) -> View:
        view = View.of(projection, stream)
        view = self._views.setdefault(view.key, view)
        self._kinds.add(view.key[1:])
        self._views.move_to_end(view.key)
        return view

    async def _continue(self, view: View, at: int | None) -> None:
        if at is not None and at <= view.position:
            return
        cold = view.position == NO_STREAM
        with _nothing_collected() if cold else nullcontext():
            if cold and self._keeper is not None:
                await self._keeper.restore(view, at)
            async for chunk in self._log.chunks(view.stream, view.position + 1, at):
                view.take(chunk)

    def _weigh(self, view: View) -> None:
        """Count what the view takes now, unless it has been let go meanwhile; let others go where it is too much."""
        if self._views.get(view.key) is not view:
            return
        self._weight += view.weight - view.charged
        view.charged = view.weight
        while self._weight > self._capacity and len(self._views) > 1:
            _, gone = self._views.popitem(last=False)
            self._weight -= gone.charged


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
