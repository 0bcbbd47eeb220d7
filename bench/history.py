"""How much a thread leaves in Temporal's history: bytes a turn, over bare activities, and whether that stays so.

`python -m bench.history` runs it in about two minutes. A turn is a reply and a tool's result, together 2 KB. Counted
is what the server itself counts, over all runs where a thread was continued as new, its beginning and end included.
Bytes do not depend on how busy the machine is; they do a little on its name, which Temporal writes into every event.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio.client import WorkflowHandle

from bench.goals import at_most, machine, show
from bench.model import Plan
from bench.system import System, events_of, measured_system
from eventlog.ids import new_thread_id

TURNS = (10, 100, 1000)
SIZE = 1000
"""Characters of a reply; its tool's result has as many."""
GOAL = 2000
BARE, REGULAR, QUICK = "two bare activities", "a turn with a tool", "a turn with a quick tool"
TOOLS = {REGULAR: "look_up", QUICK: "glance"}


@dataclass(frozen=True, slots=True)
class Left:
    """What a workflow left in Temporal, over all its runs."""

    size: int
    """Bytes."""
    events: int
    runs: int


async def left_by(system: System, handle: WorkflowHandle[Any, Any]) -> Left:
    """What the server says of each run, from the newest to the first."""
    size, events, runs, run_id = 0, 0, 0, None
    while runs == 0 or run_id:
        run = system.client.get_workflow_handle(handle.id, run_id=run_id)
        described = (await run.describe()).raw_description.workflow_execution_info
        size, events, runs = size + described.history_size_bytes, events + described.history_length, runs + 1
        first = await anext(run.fetch_history_events(page_size=1))
        run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return Left(size, events, runs)


async def measure(system: System, turns: int) -> dict[str, Left]:
    """What so many turns leave, each way; all at once, for bytes do not depend on time."""

    async def bare() -> Left:
        handle = await system.start_bare(f"bare-{new_thread_id()}", 2 * turns)
        await handle.result()
        return await left_by(system, handle)

    async def thread(tool: str) -> Left:
        handle = await system.start(new_thread_id(), Plan(turns, tool, SIZE))
        await system.finish(handle, events_of(turns))
        return await left_by(system, handle)

    left = await asyncio.gather(bare(), *map(thread, TOOLS.values()))
    return dict(zip((BARE, *TOOLS), left, strict=True))


async def main() -> None:
    """Measure, and show it line by line as it comes."""
    show(f"Temporal's history: {machine()}\n")
    show(f"{'turns':>6}  {'way':<26}{'bytes a turn':>13}{'bytes':>12}{'events':>8}{'runs':>6}")
    found: dict[tuple[str, int], float] = {}
    async with measured_system() as system:
        for turns in TURNS:
            for way, left in (await measure(system, turns)).items():
                found[way, turns] = left.size / turns
                show(
                    f"{turns:>6,}  {way:<26}{left.size / turns:>13,.0f}{left.size:>12,}{left.events:>8,}{left.runs:>6}"
                )
    show("")
    for way in TOOLS:
        for turns in TURNS:
            show(at_most(f"{way}, bytes of history at {turns:,} turns", found[way, turns], GOAL))
        show(at_most(f"{way}, at {TURNS[-1]:,} turns over {TURNS[0]}", found[way, TURNS[-1]] / found[way, TURNS[0]], 1))


if __name__ == "__main__":
    asyncio.run(main())
