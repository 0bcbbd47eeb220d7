"""One attempt at an activity: it beats, and it tells Temporal what is no use trying again.

A call that beats is noticed in seconds when its worker dies, and hears a stop in about one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

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
    """Beats in the background, with the latest progress.

    What is done before the first beat is due costs neither the server nor this process anything: a step's start is a
    sign of life already.
    """

    def __init__(self) -> None:
        self.progress: object = None
        self._next: asyncio.TimerHandle | None = None

    def note(self, progress: object) -> None:
        """Remember how far the work is; the next beat tells it."""
        self.progress = progress

    def begin(self) -> None:
        """Beat until the end; a local activity has nobody who listens."""
        if not activity.info().is_local:
            self._next = asyncio.get_running_loop().call_later(INTERVAL, self._beat)

    def _beat(self) -> None:
        self.begin()
        activity.heartbeat(self.progress)

    def end(self) -> None:
        """Beat no more."""
        if self._next is not None:
            self._next.cancel()


@contextmanager
def attempting() -> Iterator[Pulse]:
    """Beat for as long as the block runs; a permanent error in it ends the activity for good."""
    pulse = Pulse()
    pulse.begin()
    try:
        yield pulse
    except PERMANENT as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
    finally:
        pulse.end()
