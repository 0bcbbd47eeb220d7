"""What the log says of the demo's thread, looked at again and again until something has happened."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from temporalio.client import Client

from cli.answers import ThreadReport
from cli.following import closed, without_end
from cli.reading import Reading
from eventlog.events import LLMCallRequested, LLMResponseReceived
from eventlog.log import EventLog, Recorded
from eventlog.streams import ThreadId
from projections.timeline import Line

INTERVAL = 0.1
"""Seconds between two looks."""
PATIENCE = 300.0
"""Seconds without any news after which a thread is given up."""


class CutShort(Exception):
    """What is waited for will not come; the message says why."""


class Witness:
    """Reads the thread's stream as it grows."""

    def __init__(self, log: EventLog, client: Client, thread: ThreadId) -> None:
        self._reading = Reading(log, thread)
        self._client = client
        self._closing: asyncio.Task[object] | None = None
        self.events: list[Recorded] = []
        self.report: ThreadReport = self._reading.report()

    @property
    def lines(self) -> list[Line]:
        """Everything that happened, for people."""
        return self._reading.lines

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Also hear of it when the workflow, which has been started, ends without a word in the stream."""
        closing = asyncio.create_task(closed(self._client, self._reading.thread))
        self._closing = closing
        try:
            yield
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def look(self) -> bool:
        """Read what is new; whether there was anything."""
        closing = self._closing
        over = closing is not None and closing.done()  # asked first: then the stream has all there will be
        news = await self._reading.catch_up()
        self.events += news
        self.report = self._reading.report()
        if over and closing is not None and not self.report.ended:
            self.report = without_end(self._reading, closing.result())  # type: ignore[arg-type]
        return bool(news)

    async def until(self, seen: Callable[[], bool]) -> None:
        """Look until it is seen. Raises `CutShort` when the thread has ended, or is silent for too long."""
        latest = time.monotonic()
        while True:
            if await self.look():
                latest = time.monotonic()
            if seen():
                return
            self._require_hope(time.monotonic() - latest)
            await asyncio.sleep(INTERVAL)

    def _require_hope(self, silence: float) -> None:
        report = self.report
        if report.ended:
            raise CutShort(f"the thread has ended too early ({report.status}): {report.summary}")
        if silence > PATIENCE and not report.pending:
            raise CutShort(f"nothing has happened for {PATIENCE:.0f} seconds")

    # -- what has happened ---------------------------------------------------------------------

    def asked(self, step: int) -> Recorded | None:
        """The request of a model call, if it was made."""
        return next((each for each in self.events if _is(each, LLMCallRequested, step)), None)

    def answered(self, step: int) -> Recorded | None:
        """The model's reply to it, if it was recorded."""
        return next((each for each in self.events if _is(each, LLMResponseReceived, step)), None)


def _is(recorded: Recorded, kind: type[LLMCallRequested | LLMResponseReceived], step: int) -> bool:
    return isinstance(recorded.event, kind) and recorded.event.step == step
