"""One lane of appends: while some are being written, the next gather, and are then written together.

Whoever comes to an idle lane is written at once, alone. Whoever comes later waits for that commit, and all who come
until then are the next transaction together: the busier it is, the more share one. Those of one transaction come again
together; where commits are quick they are halved, so that one half makes its texts while the other is written.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass

from eventlog.log import LogError, Outcome
from eventlog.write import Write
from eventlog.writer import Answer, Writer


@dataclass(frozen=True, slots=True)
class Fill:
    """The most that one transaction takes."""

    entries: int = 256
    size: int = 1024 * 1024
    """Characters of JSON; a larger entry travels alone."""


_MANY = 16
"""Who wait at a time; fewer are not worth being halved."""
_WORTH = 1.3
"""In commits: what coming again must take for the halves to be worth a second one, with something to spare."""
_TURNS = 32
"""Transactions in which the halves take turns; then all go together once, to see whether that is still worth it."""


class _Passenger:
    """An append that travels with others."""

    __slots__ = ("answer", "write")

    def __init__(self, write: Write) -> None:
        self.write = write
        self.answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def tell(self, answer: Outcome | BaseException) -> None:
        """What became of it, unless it has left or been told already."""
        if self.answer.done():
            return
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Lane:
    """Appends that keep their order, one transaction of them under way at a time."""

    def __init__(self, writer: Writer, fill: Fill) -> None:
        self._writer = writer
        self._fill = fill
        self._waiting: deque[_Passenger] = deque()
        self._aboard: list[_Passenger] = []
        self._flight: asyncio.Task[list[Answer]] | None = None
        self._told = 0.0
        """When those who landed were told."""
        self._turns = 0
        """Transactions to come for which one half gathers while the other is written; at 0, all go together."""
        self.idle = True
        """Nobody is being written or waits for it."""

    async def append(self, write: Write) -> Outcome:
        """Wait until it is committed. Raises `LogError`."""
        if self.idle:
            return await self._alone(write)
        passenger = _Passenger(write)
        self._waiting.append(passenger)
        try:
            return await passenger.answer
        except asyncio.CancelledError:
            self._leave(passenger)
            raise

    async def _alone(self, write: Write) -> Outcome:
        self.idle = False
        try:
            return await self._writer.write(write)
        finally:
            if self._waiting:
                self._take_off(self._fly())
            else:
                self.idle = True

    def _take_off(self, flight: Coroutine[None, None, list[Answer]]) -> None:
        self._flight = asyncio.create_task(flight)
        self._flight.add_done_callback(self._land)

    async def _fly_when_they_are_back(self) -> list[Answer]:
        """The loop has come round: whoever was told and appends again at once is here.

        Where they are many, and that took longer than a commit does, half of them stay for the next transaction: from
        now on one half comes again while the other is written, which is worth the second commit.
        """
        took = time.monotonic() - self._told
        if len(self._waiting) < _MANY or took < _WORTH * self._writer.commit:
            return await self._fly()
        self._turns = _TURNS
        return await self._fly((len(self._waiting) + 1) // 2)

    async def _fly(self, most: int | None = None) -> list[Answer]:
        self._aboard = self._board(most or self._fill.entries)
        return await self._writer.write_all([passenger.write for passenger in self._aboard])

    def _board(self, most: int) -> list[_Passenger]:
        """Who comes along, in the order of arrival; whoever was cancelled while waiting is not written."""
        aboard: list[_Passenger] = []
        size = 0
        while self._waiting and len(aboard) < min(most, self._fill.entries):
            size += self._waiting[0].write.size
            if aboard and size > self._fill.size:
                break
            passenger = self._waiting.popleft()
            if passenger.answer.done():
                size -= passenger.write.size
            else:
                aboard.append(passenger)
        return aboard

    def _land(self, flight: asyncio.Task[list[Answer]]) -> None:
        """Tell each what became of it, and take the next along: those who came meanwhile or are just coming again."""
        aboard, self._aboard = self._aboard, []
        if self._turns and 0 < len(aboard) <= 2 * len(self._waiting):
            self._turns -= 1
            self._take_off(self._fly())
            _tell(aboard, flight)
            return
        self._turns = 0
        _tell(aboard, flight)
        self._told = time.monotonic()
        if aboard or self._waiting:
            self._take_off(self._fly_when_they_are_back())
        else:
            self.idle = True

    def _leave(self, passenger: _Passenger) -> None:
        """Its caller was cancelled. A transaction for which nobody waits any more is stopped."""
        if passenger.answer.done() and not passenger.answer.cancelled():
            passenger.answer.exception()  # told and cancelled at the same moment: what it was told is not missed
        if self._flight and self._aboard and all(other.answer.done() for other in self._aboard):
            self._flight.cancel()

    async def abandon(self, reason: LogError) -> None:
        """Stop writing. Whoever waits is told the reason, and may have been written or not."""
        for passenger in (*self._aboard, *self._waiting):
            passenger.tell(reason)
        if self._flight and not self._flight.done():
            self._flight.cancel()
            await asyncio.wait({self._flight})


def _tell(aboard: list[_Passenger], flight: asyncio.Task[list[Answer]]) -> None:
    if flight.cancelled():
        for passenger in aboard:
            passenger.answer.cancel()
    elif error := flight.exception():
        for passenger in aboard:
            passenger.tell(error)
    else:
        for passenger, answer in zip(aboard, flight.result(), strict=True):
            passenger.tell(answer)
