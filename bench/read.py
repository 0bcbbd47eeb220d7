"""How fast a thread is read and folded from cold, over the rate at which its rows can be read and parsed at all.

`make bench` runs it in about a minute on a PostgreSQL of its own. The floor fetches the rows by Message DB's own
function, in pages, as text, over a blocking connection, which is the fastest there is, and gives each one's data and
metadata to orjson: no types, no checks, nothing kept. All ways read the same rows in turns, so that whatever else the
machine does hits all of them.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import orjson
from psycopg import AsyncConnection, Connection, connect

from activities.views import Views
from bench.database import measured_database
from bench.thread import entries
from eventlog.encoding import encode
from eventlog.pool import PoolTerms, connection_info
from eventlog.postgres import PostgresEventLog
from eventlog.queries import READ_STREAM
from eventlog.streams import StreamName, ThreadId, stream_of
from projections.composed import compose
from projections.evolution import SESSION
from projections.fold import Projection
from projections.transcript import TRANSCRIPT

ROUNDS = {1_000: 25, 10_000: 9, 100_000: 5}
"""How often each way reads a thread of so many events; once more before, for warmth."""
PAGE = 1_000
"""Rows the floor fetches at a time: more or fewer make it slower."""
GOAL = 0.6
"""Of the floor's rate, for a view that is folded from cold."""
FLOOR = "rows and orjson"
GOALS = ("fold SESSION", "fold TRANSCRIPT")
"""Two views in one reading are shown besides: no step reads them so, and the second is never free."""

Way: TypeAlias = Callable[[StreamName], Awaitable[int]]
"""Reads a whole thread and answers with how many events it has."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one way read threads of one length: medians of all rounds."""

    events: int
    way: str
    rate: float
    of_floor: float
    """Its rate in those of the floor, round by round."""


# -- the ways -------------------------------------------------------------------------------------


def floor(connection: Connection) -> Way:
    """What no reader of these rows can do without."""

    async def read(stream: StreamName) -> int:
        position, count = 0, PAGE
        while count == PAGE:
            rows = connection.execute(READ_STREAM, (stream, position, PAGE)).fetchall()
            for _, _, _, _, _, data, metadata, _ in rows:
                orjson.loads(data)
                orjson.loads(metadata)
            count = len(rows)
            position += count
        return position

    return read


def reading(log: PostgresEventLog) -> Way:
    """Every event typed, one by one."""

    async def read(stream: StreamName) -> int:
        count = 0
        async for _ in log.read(stream):
            count += 1
        return count

    return read


def folding(log: PostgresEventLog, projection: Projection[Any]) -> Way:
    """A view that nobody has read before, as the activities read it."""

    async def read(stream: StreamName) -> int:
        seen = await Views(log).read(projection, stream, lambda _: None)
        return seen.position + 1

    return read


# -- measuring ------------------------------------------------------------------------------------


async def write(url: str, stream: StreamName, events: int) -> None:
    """Put a thread into the log, as rows."""
    columns = "id, stream_name, position, type, data, metadata"
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        async with connection.cursor().copy(f"COPY message_store.messages ({columns}) FROM STDIN".encode()) as rows:
            for position, entry in enumerate(entries(ThreadId(stream.partition("-")[2]), events)):
                encoded = encode(entry)
                await rows.write_row((entry.id, stream, position, encoded.type, encoded.data, encoded.metadata))
        await connection.execute("VACUUM ANALYZE message_store.messages")


async def compare(ways: dict[str, Way], stream: StreamName, events: int) -> list[Result]:
    """All ways in turns, the floor among them."""
    rounds = [
        {name: await seconds(way, stream, events) for name, way in ways.items()} for _ in range(ROUNDS[events] + 1)
    ][1:]
    return [
        Result(
            events,
            name,
            rate=events / median(each[name] for each in rounds),
            of_floor=median(each[FLOOR] / each[name] for each in rounds),
        )
        for name in ways
    ]


async def seconds(way: Way, stream: StreamName, events: int) -> float:
    """What it takes to read the thread once."""
    gc.collect()
    begin = time.perf_counter()
    if await way(stream) != events:
        raise AssertionError(f"of {stream} not all was read")
    return time.perf_counter() - begin


# -- what is shown --------------------------------------------------------------------------------


async def main() -> None:
    """Measure everything, and show it line by line as it comes."""
    async with measured_database() as url, PostgresEventLog.connect(url) as log:
        with connect(connection_info(url, PoolTerms()), autocommit=True) as connection:
            results = await _measure(url, _ways(connection, log))
    _show("")
    for result in results:
        if result.way in GOALS:
            met = "met" if result.of_floor >= GOAL else "MISSED"
            _show(f"{met:<7}{result.way}, {result.events:,} events: {result.of_floor:.2f} of the floor; goal ≥ {GOAL}")


def _ways(connection: Connection, log: PostgresEventLog) -> dict[str, Way]:
    return {
        FLOOR: floor(connection),
        "read, typed": reading(log),
        "fold SESSION": folding(log, SESSION),
        "fold TRANSCRIPT": folding(log, TRANSCRIPT),
        "fold both at once": folding(log, compose(session=SESSION, transcript=TRANSCRIPT)),
    }


async def _measure(url: str, ways: dict[str, Way]) -> list[Result]:
    _show(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; medians; 570 B data and 420 B metadata\n")
    _show(f"{'events':>8}  {'way':<24}{'events/s':>10}{'of the floor':>14}")
    results: list[Result] = []
    for events in ROUNDS:
        stream = stream_of(ThreadId(f"bench-{events}"))
        await write(url, stream, events)
        compared = await compare(ways, stream, events)
        for result in compared:
            _show(f"{events:>8,}  {result.way:<24}{result.rate:>10,.0f}{result.of_floor:>13.0%}")
        results += compared
    return results


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
