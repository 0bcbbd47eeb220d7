"""Snapshots of views: read where a view is cold, and made in the background where that is worth its price.

No step waits for a snapshot to be written, and none fails for want of one: whatever is wrong with them is noted once,
and views are folded from their beginning.

A snapshot is worth its price after so many events, and not before the JSON folded since the last one is a quarter of
what the state takes. A state that stays small is so kept every 50 events. One that grows with its stream is kept ever
more seldom: all snapshots of it together are at most four times the size of what was read, and not its square; and at
most so much has to be folded after the last of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import structlog

from activities.view import View
from eventlog.log import LogError, LogMisconfigured
from eventlog.snapshots import Snapshot, Snapshots
from eventlog.streams import StreamName

EVERY = 50
"""Events after which a view may be kept again."""
SHARE = 0.25
"""Of the kept state's size, that must have been read since."""
MOST_BYTES = 64 * 1024 * 1024
"""Larger states are not kept."""
MOST_WAITING = 100
"""Views that wait to be kept; further ones come again when they are read next."""
CLOSING = 2.0
"""Seconds that the snapshot being written is waited for at the end."""

logger = structlog.get_logger(__name__)


class SnapshotKeeper:
    """Keeps views between processes. To be opened, and closed when nobody reads views any more."""

    def __init__(self, store: Snapshots, every: int) -> None:
        self._store = store
        self._every = every
        self._due: OrderedDict[tuple[StreamName, str, int], View] = OrderedDict()
        self._writing: asyncio.Task[None] | None = None
        self._usable = True
        self._noted: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Snapshots, every: int = EVERY) -> AsyncIterator[Self]:
        """For the block's duration; at its end what still waits is dropped, for nobody will miss it."""
        keeper = cls(store, every)
        try:
            yield keeper
        finally:
            await keeper._close()

    async def restore(self, view: View, at: int | None) -> None:
        """Bring a view that has seen nothing to its snapshot, if there is one that is not past `at`."""
        codec = view.projection.codec
        if codec is None or not self._usable or (at is not None and at < self._every - 1):
            return
        try:
            found = await self._store.find(view.stream, view.projection.name, view.projection.stamp, at)
            if found is not None:
                view.resume(codec.decode(found.state), found)
        except LogError as error:
            self._go_without(error)
        except Exception as error:  # noqa: BLE001 - whatever a codec raises
            self._note("snapshot_not_readable", error, projection=view.projection.name)

    def offer(self, view: View) -> None:
        """Keep it soon, if it is worth it."""
        if self._is_due(view) and len(self._due) < MOST_WAITING:
            self._due[view.key] = view
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write_all())

    async def settled(self) -> None:
        """Wait until nothing is left to be written."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _is_due(self, view: View) -> bool:
        return (
            self._usable
            and view.projection.codec is not None
            and view.position - view.kept >= self._every
            and view.taken >= SHARE * view.measured
        )

    async def _write_all(self) -> None:
        while self._due:
            _, view = self._due.popitem(last=False)
            async with view.lock:
                snapshot = self._taken(view)
            if snapshot is not None:
                await self._write(snapshot)

    def _taken(self, view: View) -> Snapshot | None:
        """The view as it stands, and so at once: the next event may change the very state."""
        codec, last_id = view.projection.codec, view.last_id
        if codec is None or last_id is None or not self._is_due(view):
            return None
        try:
            state, stamp = codec.encode(view.state), view.projection.stamp
        except Exception as error:  # noqa: BLE001 - whatever a codec raises
            self._note("snapshot_not_made", error, projection=view.projection.name)
            view.measure(view.measured + view.taken)
            return None
        view.measure(len(state))
        if len(state) > MOST_BYTES:
            return None
        return Snapshot(view.stream, view.projection.name, stamp, view.position, last_id, state)

    async def _write(self, snapshot: Snapshot) -> None:
        try:
            await self._store.keep(snapshot)
        except LogError as error:
            self._go_without(error)

    def _go_without(self, error: LogError) -> None:
        """For now; and for good, where there is no table or no right to it."""
        self._usable = self._usable and not isinstance(error, LogMisconfigured)
        self._note("snapshots_not_available", error)

    def _note(self, event: str, error: Exception, **where: str) -> None:
        known = f"{event} {where}"
        if known not in self._noted:
            self._noted.add(known)
            logger.warning(event, problem=str(error), **where)

    async def _close(self) -> None:
        self._usable = False
        self._due.clear()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=CLOSING)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
