"""One attempt at an activity: it beats, and it tells Temporal what is no use trying again.

A call that beats is noticed in seconds when its worker dies, and hears a stop in about one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError

from eventlog.log import EntryRejected, LogCorrupted
from eventlog.streams import InvalidName
from projections.transcript import NotStarted

INTERVAL = 1.0
"""Seconds between two beats."""
PERMANENT = (EntryRejected, LogCorrupted, InvalidName, NotStarted)
"""What comes again however often the activity is tried."""


class Pulse:
    """Beats in the background, with the latest progress."""

    def __init__(self) -> None:
        self.progress: object = None

    def note(self, progress: object) -> None:
        """Remember how far the work is; the next beat tells it."""
        self.progress = progress

    async def beat(self) -> None:
        """Beat until cancelled; a local activity has nobody who listens.

        What is done before the first beat is due costs the server none: its start is a sign of life already.
        """
        while not activity.info().is_local:
            await asyncio.sleep(INTERVAL)
            activity.heartbeat(self.progress)


@asynccontextmanager
async def attempting() -> AsyncIterator[Pulse]:
    """Beat for as long as the block runs; a permanent error in it ends the activity for good."""
    pulse = Pulse()
    beats = asyncio.create_task(pulse.beat())
    try:
        yield pulse
    except PERMANENT as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)
