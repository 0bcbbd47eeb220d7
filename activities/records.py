"""What a tool records while it runs: events of its own, written in order, each under an id that its next attempt finds.

The id is made of the call, the event's name, and its number among those of that name or the key the tool gave it. An
attempt that comes after a crash goes through the same numbers, so that what the first one wrote is found and stands.
"""

import asyncio
import contextvars
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from eventlog.custom import CustomEvent, RefusedEvent
from eventlog.events import UnknownEvent

MOST = 1_000
"""Events one attempt may record."""
LONGEST_KEY = 200
"""Characters."""

Write: TypeAlias = Callable[[str, UnknownEvent], Awaitable[None]]
"""Writes an event under its key, however long the log is away."""


class Records:
    """The events of one attempt at one call, from any thread."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        """Of the attempt: a tool's own threads have none."""
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()
        self._waiting: deque[tuple[str, UnknownEvent]] = deque()
        self._keys: set[str] = set()
        self._numbers: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    def take(self, event: CustomEvent, *, key: str | None = None) -> None:
        """Have the event written; raises `RefusedEvent`, as `tools.context.Record` says."""
        if not isinstance(event, CustomEvent):
            raise RefusedEvent(f"{type(event).__name__} is no event: record an instance of a subclass of CustomEvent")
        written = event.written()
        with self._lock:
            if self._over:
                raise RefusedEvent(f"{written.type_name} comes too late: the call is over")
            self._waiting.append((self._key(written.type_name, key), written))
            self._loop.call_soon_threadsafe(self._begin, context=self._context)

    def _key(self, name: str, given: str | None) -> str:
        if len(self._keys) >= MOST:
            raise RefusedEvent(f"one call may record {MOST:,} events: record what they come to in one")
        if given is not None and not (0 < len(given) <= LONGEST_KEY and given.isprintable()):
            raise RefusedEvent(f"a key has 1 to {LONGEST_KEY} printable characters, unlike {given[:LONGEST_KEY]!r}")
        key = f"{name}/{self._numbers[name]}" if given is None else f"{name}/key/{given}"
        if key in self._keys:
            raise RefusedEvent(f"{name} was recorded under the key {given!r} before: it counts once")
        self._keys.add(key)
        self._numbers[name] += given is None
        return key

    def close(self) -> None:
        """Take no more. What was taken is written even if nobody waits for it."""
        with self._lock:
            self._over = True

    async def written(self) -> None:
        """Return when all that was taken stands in the stream."""
        if self._keys:
            await self._write_waiting()

    def _begin(self) -> None:
        task = self._loop.create_task(self._write_waiting())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # what could not be written waits still: `written` meets the same error

    async def _write_waiting(self) -> None:
        """Write all there is, in the order it came; only then is it let go of."""
        async with self._turn:
            while self._waiting:
                await self._write(*self._waiting[0])
                self._waiting.popleft()
