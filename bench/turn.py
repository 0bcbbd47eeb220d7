"""How long a turn takes, over two bare Temporal activities: the model in the same process, answering at once.

`python -m bench.turn` runs it in about two minutes, and with it the floor: the same commits in the shortest way there
is. A turn is the time from one model call to the next by the server's own clock, so that neither a thread's beginning
nor its end is in it. All ways run on the same servers, in turns.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from temporalio.client import WorkflowHandle

from bench.goals import at_most, machine, show
from bench.model import Plan
from bench.system import System, events_of, measured_system
from eventlog.ids import new_thread_id

TURNS = 40
ROUNDS = 13
"""After one for warmth."""
SIZE = 1000
"""Characters of a reply; its tool's result has as many."""
MODEL_CALLS = {"ask", "ask_noted", "call_model"}
BARE, REGULAR, QUICK = "two bare activities", "a turn with a tool", "a turn with a quick tool"
FLOOR = {REGULAR: "its floor", QUICK: "the quick one's floor"}
"""The same commits by activities that do nothing else: see `bench/floor.py`."""
GOALS = {REGULAR: 1.25, QUICK: 0.75}

Way: TypeAlias = Callable[[], Awaitable[float]]
"""Takes turns, and answers with the seconds that one took."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one way took in each round, in seconds and over the bare activities of the same round."""

    way: str
    seconds: list[float]
    times: list[float]


def ways(system: System, turns: int) -> dict[str, Way]:
    """Two bare activities, and turns with either kind of tool, each with its floor."""

    async def bare() -> float:
        handle = await system.start_bare(f"bare-{new_thread_id()}", 2 * turns + 1)
        await handle.result()
        return await seconds_a_turn(handle)

    def thread(tool: str) -> Way:
        async def run() -> float:
            handle = await system.start(new_thread_id(), Plan(turns, tool, SIZE))
            await system.finish(handle, events_of(turns))
            return await seconds_a_turn(handle)

        return run

    def floor(*, quick: bool) -> Way:
        async def run() -> float:
            handle = await system.start_floor(new_thread_id(), 2 * turns + 1, quick=quick)
            await handle.result()
            return await seconds_a_turn(handle)

        return run

    return {
        BARE: bare,
        REGULAR: thread("look_up"),
        FLOOR[REGULAR]: floor(quick=False),
        QUICK: thread("glance"),
        FLOOR[QUICK]: floor(quick=True),
    }


async def seconds_a_turn(handle: WorkflowHandle[Any, Any]) -> float:
    """From the first model call to the last, by the number of turns between them."""
    history = await handle.fetch_history()
    began = [
        event.event_time.ToNanoseconds() / 1e9
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name in MODEL_CALLS
    ]
    return (began[-1] - began[0]) / (len(began) - 1)


async def compare(system: System, turns: int, rounds: int) -> list[Result]:
    """All ways in turns, so that whatever else the machine does hits all of them."""
    measured = [{name: await way() for name, way in ways(system, turns).items()} for _ in range(rounds + 1)][1:]
    return [
        Result(name, [each[name] for each in measured], [each[name] / each[BARE] for each in measured])
        for name in measured[0]
    ]


async def main() -> None:
    """Measure, and show it."""
    show(f"A turn's time: {machine()}; {ROUNDS} rounds of {TURNS} turns\n")
    async with measured_system() as system:
        results = await compare(system, TURNS, ROUNDS)
    show(f"{'way':<26}{'median ms':>10}{'times':>8}   {'from':>5}{'to':>7}")
    for each in results:
        spread = f"{min(each.times):>5.2f} {max(each.times):>6.2f}"
        show(f"{each.way:<26}{median(each.seconds) * 1e3:>10.1f}{median(each.times):>8.2f}   {spread}")
    show("")
    for each in results:
        if each.way in GOALS:
            show(at_most(f"{each.way}, in times of two bare activities", median(each.times), GOALS[each.way]))


if __name__ == "__main__":
    asyncio.run(main())
