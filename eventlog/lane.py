"""One lane of appends: while some are being written, the next gather, and are then written together.

Whoever comes to an idle lane is written at once, alone. Whoever comes later waits for that commit, and all who come
until then are the next transaction together: the busier it is, the more share one.
"""

import asyncio
from collections import deque
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
                self._take_off()
            else:
                self.idle = True

    def _take_off(self) -> None:
        self._flight = asyncio.create_task(self._fly())
        self._flight.add_done_callback(self._land)

    async def _fly(self) -> list[Answer]:
        self._aboard = self._board()
        return await self._writer.write_all([passenger.write for passenger in self._aboard])

    def _board(self) -> list[_Passenger]:
        """Who comes along, in the order of arrival; whoever was cancelled while waiting is not written."""
        aboard: list[_Passenger] = []
        size = 0
        while self._waiting and len(aboard) < self._fill.entries:
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
        if flight.cancelled():
            for passenger in aboard:
                passenger.answer.cancel()
        elif error := flight.exception():
            for passenger in aboard:
                passenger.tell(error)
        else:
            for passenger, answer in zip(aboard, flight.result(), strict=True):
                passenger.tell(answer)
        if aboard or self._waiting:
            self._take_off()
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
