"""Room for those who wait to be written: limited, and given in the order in which it is asked for."""

import asyncio
from collections import deque
from contextlib import suppress


class Backlog:
    """So many entries and so much text at most; whoever finds it full waits outside."""

    def __init__(self, entries: int, size: int) -> None:
        self._entries = entries
        self._size = size
        self._inside = 0
        self._taken = 0
        self._outside: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._coming = 0
        """Let in, but not yet awake; nobody may overtake them."""
        self._empty = asyncio.Event()
        self._empty.set()

    async def enter(self, size: int) -> None:
        """Wait for room; an entry larger than all of it is let in when nobody else is inside."""
        if not self._outside and not self._coming and self._has_room(size):
            self._let_in(size)
        else:
            await self._queue(size)

    async def _queue(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outside.append((size, turn))
        self._call()
        try:
            await turn
            self._coming -= 1
        except asyncio.CancelledError:
            if turn.cancelled() or turn.exception():
                self._call()  # whoever stood behind it may be small enough
            else:  # it was let in, and cancelled before it knew
                self._coming -= 1
                self.leave(size)
            raise

    def leave(self, size: int) -> None:
        """Give the room back."""
        self._inside -= 1
        self._taken -= size
        self._call()
        if not self._inside:
            self._empty.set()

    async def emptied(self, timeout: float) -> None:
        """Wait until nobody is inside, nor outside, but no longer than so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout)

    def turn_away(self, reason: Exception) -> None:
        """Nobody who waits outside will be let in any more."""
        for _, turn in self._outside:
            if not turn.done():
                turn.set_exception(reason)
        self._outside.clear()

    def _call(self) -> None:
        """Let in whoever is next, as long as there is room."""
        while self._outside:
            size, turn = self._outside[0]
            if not turn.cancelled() and not self._has_room(size):
                return
            self._outside.popleft()
            if not turn.cancelled():
                self._let_in(size)
                self._coming += 1
                turn.set_result(None)

    def _let_in(self, size: int) -> None:
        self._inside += 1
        self._taken += size
        self._empty.clear()

    def _has_room(self, size: int) -> bool:
        return not self._inside or (self._inside < self._entries and self._taken + size <= self._size)
