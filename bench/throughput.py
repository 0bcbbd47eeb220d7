"""How many threads get through a worker at once, over workflows of as many bare activities on the same servers.

`python -m bench.throughput` runs it in about a minute. All start together; what counts is when the last has ended.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from bench.goals import at_least, machine, show
from bench.model import Plan
from bench.system import System, events_of, measured_system
from eventlog.ids import new_thread_id

THREADS = 100
TURNS = 3
ROUNDS = 5
"""After one for warmth."""
SIZE = 1000
GOAL = 0.85


def activities_of(turns: int) -> int:
    """The beginning, the turns with one tool call each, the answer, the end."""
    return 1 + 2 * turns + 1 + 1


async def bare(system: System, threads: int, turns: int) -> float:
    """Seconds until all workflows of bare activities have ended."""

    async def one() -> None:
        handle = await system.start_bare(f"bare-{new_thread_id()}", activities_of(turns))
        await handle.result()

    return await _seconds(one, threads)


async def ours(system: System, threads: int, turns: int) -> float:
    """Seconds until all threads have ended."""

    async def one() -> None:
        handle = await system.start(new_thread_id(), Plan(turns, "look_up", SIZE))
        await system.finish(handle, events_of(turns))

    return await _seconds(one, threads)


async def _seconds(one: Callable[[], Awaitable[None]], threads: int) -> float:
    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(threads)))
    return time.perf_counter() - begin


async def compare(system: System, threads: int, turns: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds of the bare workflows and of threads, in turns."""
    measured = [(await bare(system, threads, turns), await ours(system, threads, turns)) for _ in range(rounds + 1)]
    return measured[1:]


async def main() -> None:
    """Measure, and show it."""
    activities = activities_of(TURNS)
    show(f"Throughput: {machine()}; {ROUNDS} rounds of {THREADS} threads with {activities} activities each\n")
    async with measured_system() as system:
        measured = await compare(system, THREADS, TURNS, ROUNDS)
    ratios = [plain / mine for plain, mine in measured]
    show(f"{'way':<26}{'seconds':>9}{'threads/s':>11}{'activities/s':>14}")
    for name, seconds in (("bare activities", 0), ("threads", 1)):
        took = median(each[seconds] for each in measured)
        show(f"{name:<26}{took:>9.2f}{THREADS / took:>11.1f}{THREADS * activities / took:>14.0f}")
    show(f"\nthe ratio goes from {min(ratios):.2f} to {max(ratios):.2f}\n")
    show(at_least("threads, in times of bare activities", median(ratios), GOAL))


if __name__ == "__main__":
    asyncio.run(main())
