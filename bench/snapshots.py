"""What a snapshot saves a worker that has never seen a thread, and what it costs to make one.

`make bench` runs it in about a minute on a PostgreSQL of its own. A view is folded from the beginning of its stream;
read from a snapshot of its newest event; and read from one as old as they get, after which 50 events, or JSON of a
quarter of the state's size, are left to fold. All three read the same thread in turns. The price is what nobody waits
for: the state is encoded, which holds up the process, and stored.
"""

import asyncio
import gc
import os
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from activities.keeper import EVERY, SHARE, SnapshotKeeper
from activities.view import IN_MEMORY, View
from activities.views import Views
from bench.database import measured_database
from bench.read import write
from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.snapshots import Snapshot
from eventlog.streams import StreamName, ThreadId, stream_of
from llm.body import body_of
from projections.evolution import SESSION
from projections.fold import Projection, fold
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT, Transcript, render

ROUNDS = {100: 15, 1_000: 15, 10_000: 7}
"""How often each way reads a thread of so many events; once more before, for warmth."""
PROJECTIONS: tuple[Projection[Any], ...] = (TRANSCRIPT, SESSION, TOOL_CALLS)
"""What model and tool calls read."""


@dataclass(frozen=True, slots=True)
class Result:
    """One view of a thread: medians, in milliseconds."""

    events: int
    view: str
    folded: float
    newest: float
    """From a snapshot of the newest event."""
    oldest: float
    """From one as old as they get."""
    encoded: float
    stored: float
    size: int
    """Bytes of the state."""
    in_memory: float
    """Bytes that each of them takes as Python objects."""


# -- the work -------------------------------------------------------------------------------------


async def compare(log: PostgresEventLog, projection: Projection[Any], events: list[Recorded]) -> Result:
    """One view of one thread, all ways in turns."""
    stream = events[0].stream
    newest, encoded = _snapshot(projection, events)
    oldest, _ = _snapshot(projection, events[: _age(newest, events)])
    rounds = [
        (
            await _seconds(lambda: _read(Views(log), projection, stream, events)),
            await _from(log, newest, projection, events),
            await _from(log, oldest, projection, events),
            await _seconds(lambda: log.snapshots.keep(newest)),
        )
        for _ in range(ROUNDS[len(events)] + 1)
    ][1:]
    folded, from_newest, from_oldest, stored = (1000 * median(column) for column in zip(*rounds, strict=True))
    size = len(newest.state)
    memory = _memory(projection, events) / size
    return Result(len(events), projection.name, folded, from_newest, from_oldest, encoded, stored, size, memory)


def _snapshot(projection: Projection[Any], events: list[Recorded]) -> tuple[Snapshot, float]:
    """The snapshot after these events, and the milliseconds that it took to encode."""
    state, last, codec = fold(projection, events), events[-1], projection.codec
    if codec is None:
        raise AssertionError(f"{projection.name} is not kept")
    codec.encode(state)  # prepares the codec
    begin = time.perf_counter()
    kept = codec.encode(state)
    milliseconds = 1000 * (time.perf_counter() - begin)
    return Snapshot(last.stream, projection.name, projection.stamp, last.position, last.id, kept), milliseconds


def _age(newest: Snapshot, events: list[Recorded]) -> int:
    """After how many events the last snapshot was made, where the next one is due just now."""
    left = len(events)
    read = 0
    while left > 1 and (len(events) - left < EVERY or read < SHARE * len(newest.state)):
        left -= 1
        read += events[left].size
    return left


async def _from(
    log: PostgresEventLog, snapshot: Snapshot, projection: Projection[Any], events: list[Recorded]
) -> float:
    """Seconds of a cold read that finds this snapshot."""
    await log.snapshots.keep(Snapshot(snapshot.stream, snapshot.projection, "none", 0, snapshot.event_id, b""))
    await log.snapshots.keep(snapshot)
    async with SnapshotKeeper.open(log.snapshots) as keeper:
        views = Views(log, keeper)
        seconds = await _seconds(lambda: _read(views, projection, snapshot.stream, events))
        await keeper.settled()
    return seconds


async def _read(views: Views, projection: Projection[Any], stream: StreamName, events: list[Recorded]) -> None:
    seen = await views.read(projection, stream, lambda _: None)
    if seen.last_id != events[-1].id:
        raise AssertionError(f"of {stream} not all was read")


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


def _memory(projection: Projection[Any], events: list[Recorded]) -> int:
    """Bytes that the state takes by itself: as it is read again, and so shares nothing with anybody.

    A transcript keeps what was rendered of it as well.
    """
    codec = projection.codec
    if codec is None:
        return 0
    kept = codec.encode(fold(projection, events))
    gc.collect()
    tracemalloc.start()
    view = View(projection, events[0].stream, codec.decode(kept))
    if isinstance(view.state, Transcript):
        _ = body_of(render(view.state, ())).written
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del view
    return taken


# -- what is shown --------------------------------------------------------------------------------


async def main() -> None:
    """Measure everything, and show it line by line as it comes."""
    _show(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; medians, in milliseconds\n")
    _show(
        f"{'events':>8}  {'view':<12}{'folded':>8}{'from newest':>18}{'from oldest':>18}"
        f"{'encode':>9}{'store':>8}{'bytes':>12}{'in memory':>11}"
    )
    results = []
    async with measured_database() as url, PostgresEventLog.connect(url) as log:
        for count in ROUNDS:
            stream = stream_of(ThreadId(f"bench-{count}"))
            await write(url, stream, count)
            events = [each async for each in log.read(stream)]
            for projection in PROJECTIONS:
                results.append(await compare(log, projection, events))
                _show(_line(results[-1]))
    slower = [f"{each.view} of {each.events:,} events" for each in results if each.oldest > each.folded]
    _show(f"\nslower than folding: {', '.join(slower) or 'none'}")
    largest = max(each.in_memory for each in results if each.size > 100_000)
    _show(f"a byte of a large state takes {largest:.1f} bytes in memory; the cache counts {IN_MEMORY}")


def _line(result: Result) -> str:
    newest, oldest = (f"{each:>11.1f}{each / result.folded:>7.0%}" for each in (result.newest, result.oldest))
    return (
        f"{result.events:>8,}  {result.view:<12}{result.folded:>8.1f}{newest}{oldest}"
        f"{result.encoded:>9.1f}{result.stored:>8.1f}{result.size:>12,}{result.in_memory:>10.1f}x"
    )


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
