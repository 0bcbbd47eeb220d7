"""The baseline: workflows of activities that do nothing, as plain as Temporal allows; and those of the floor."""

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


@workflow.defn
class Noted:
    """The same, of activities that write down what they do: see `bench/floor.py`."""

    @workflow.run
    async def run(self, activities: int, quick: bool) -> None:
        """Have them done; where it is to be quick, what stands for a tool call is a local activity."""
        for number in range(activities):
            if number % 2 and quick:
                await workflow.execute_local_activity("act_noted", number, start_to_close_timeout=AT_MOST)
            else:
                name = "act_noted" if number % 2 else "ask_noted"
                await workflow.execute_activity(name, number, start_to_close_timeout=AT_MOST)
