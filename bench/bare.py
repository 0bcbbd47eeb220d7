"""The baseline: workflows of activities that do nothing, as plain as Temporal allows."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

AT_MOST = timedelta(minutes=1)


@activity.defn
async def ask(number: int) -> int:
    """Stands for a model call."""
    return number


@activity.defn
async def act(number: int) -> int:
    """Stands for a tool call."""
    return number


@workflow.defn
class Bare:
    """So many activities, one after the other; two of them stand for a turn."""

    @workflow.run
    async def run(self, activities: int) -> None:
        """Have them done, an odd one being a model call."""
        for number in range(activities):
            await workflow.execute_activity(act if number % 2 else ask, number, start_to_close_timeout=AT_MOST)


@workflow.defn
class BareWait:
    """As many activities as there are before a thread waits; then it waits for good."""

    @workflow.run
    async def run(self, activities: int) -> None:
        """Have them done, and wait."""
        for number in range(activities):
            await workflow.execute_activity(act if number % 2 else ask, number, start_to_close_timeout=AT_MOST)
        await asyncio.Event().wait()
