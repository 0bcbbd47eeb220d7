"""Signs of life: a call that beats is noticed in seconds when its worker dies, and hears a stop in about one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

INTERVAL = 1.0
"""Seconds."""


class Pulse:
    """Beats in the background, with the latest progress."""

    def __init__(self) -> None:
        self.progress: object = None

    def note(self, progress: object) -> None:
        """Remember how far the work is; the next beat tells it."""
        self.progress = progress

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            activity.heartbeat(self.progress)
            await asyncio.sleep(INTERVAL)


@asynccontextmanager
async def beating() -> AsyncIterator[Pulse]:
    """Beat for as long as the block runs."""
    pulse = Pulse()
    task = asyncio.create_task(pulse.beat())
    try:
        yield pulse
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
