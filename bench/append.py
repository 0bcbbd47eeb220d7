"""How fast events are appended to one category: each writer with a transaction of its own, and through the appender.

`make bench` runs it in about two minutes on a PostgreSQL of its own. Both ways write the same rows to the same table,
in turns; what is shown are medians. The plain way is the barest there is: `write_message` with texts made beforehand,
on a connection for each writer. Ours is all of `PostgresEventLog.append`, which makes the texts.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection

from bench.database import DISKS, Disk, measured_database, url_on
from eventlog.events import SessionPaused
from eventlog.ids import event_id, new_thread_id
from eventlog.log import NO_STREAM, Appended, Entry, Outcome
from eventlog.metadata import Metadata
from eventlog.pool import PoolTerms, connection_info
from eventlog.postgres import PostgresEventLog
from eventlog.queries import WRITE
from eventlog.streams import StreamName, stream_of
from eventlog.write import Write

WRITERS = (1, 16, 64)
ROUNDS = 7
SECONDS = 1.0
"""One way of writing, once; before the first round each does so once for warmth."""
COPIED = 20_000
"""Rows of the floor: one COPY, one commit."""

EVENT = SessionPaused(by="x" * 540)
METADATA = Metadata(
    at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    correlation_id=str(UUID(int=1)),
    causation_id=UUID(int=2),
    run_id=str(UUID(int=3)),
    activity_id="17",
    attempt=1,
    traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
    code="0.1.0",
)
"""Together about 950 bytes of JSON, as a step of a thread writes."""

Append: TypeAlias = Callable[[StreamName, Entry, int], Awaitable[Outcome]]
"""One writer's way of appending the next event of its stream."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one way of writing achieved once; seconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of both ways, side by side."""

    disk: Disk
    writers: int
    plain: Run
    ours: Run

    @property
    def faster(self) -> float:
        """How many times as many events."""
        return self.ours.rate / self.plain.rate

    @property
    def latency(self) -> float:
        """Our median latency, in those of the plain way."""
        return self.ours.p50 / self.plain.p50


# -- the two ways ---------------------------------------------------------------------------------


@asynccontextmanager
async def plain_writers(url: str, count: int) -> AsyncIterator[list[Append]]:
    """A connection and a transaction for each."""
    async with AsyncExitStack() as exits:
        conninfo = connection_info(url, PoolTerms())
        yield [
            _plain(await exits.enter_async_context(await AsyncConnection.connect(conninfo, autocommit=True)))
            for _ in range(count)
        ]


def _plain(connection: AsyncConnection) -> Append:
    texts = made_texts()

    async def append(stream: StreamName, entry: Entry, version: int) -> Outcome:
        cursor = await connection.execute(WRITE, (str(entry.id), stream, *texts, version))
        [position] = await cursor.fetchone() or (NO_STREAM,)
        return Appended(position)

    return append


def made_texts() -> tuple[str, str, str]:
    """Type, data and metadata, as every event here has them: made beforehand."""
    _, _, type_, data, metadata, _ = Write(
        stream_of(new_thread_id()), Entry(UUID(int=0), EVENT, METADATA), None
    ).parameters
    return type_, data, metadata


@asynccontextmanager
async def our_writers(url: str, count: int) -> AsyncIterator[list[Append]]:
    """One log for all."""
    async with PostgresEventLog.connect(url) as log:
        yield [log.append] * count


# -- measuring ------------------------------------------------------------------------------------


async def compare(url: str, disk: Disk, writers: int) -> Result:
    """Both ways in turns, so that whatever else the machine does hits both."""
    address = url_on(disk, url)
    async with plain_writers(address, writers) as plain, our_writers(address, writers) as ours:
        runs = [await _round(plain, ours, turn) for turn in range(ROUNDS + 1)][1:]
    return Result(disk, writers, _medians([first for first, _ in runs]), _medians([second for _, second in runs]))


async def _round(plain: list[Append], ours: list[Append], turn: int) -> tuple[Run, Run]:
    if turn % 2:
        return await run(plain), await run(ours)
    second = await run(ours)
    return await run(plain), second


async def run(writers: list[Append]) -> Run:
    """All writers at once, each with a stream of its own and one event at a time, until the time is over."""
    latencies: list[float] = []
    begin = time.perf_counter()
    await asyncio.gather(*(_keep_writing(append, begin + SECONDS, latencies) for append in writers))
    passed = time.perf_counter() - begin
    percent = quantiles(latencies, n=100)
    return Run(len(latencies) / passed, percent[49], percent[98])


async def _keep_writing(append: Append, end: float, latencies: list[float]) -> None:
    thread, started, version = new_thread_id(), time.time_ns() // 1_000_000, NO_STREAM
    stream = stream_of(thread)
    while (begin := time.perf_counter()) < end:
        entry = Entry(event_id(thread, started, f"step {version}"), EVENT, METADATA)
        version += 1
        if await append(stream, entry, version - 1) != Appended(version):
            raise AssertionError(f"event {version} of {stream} was not written where it belongs")
        latencies.append(time.perf_counter() - begin)


def _medians(runs: list[Run]) -> Run:
    return Run(median(run.rate for run in runs), median(run.p50 for run in runs), median(run.p99 for run in runs))


async def copy(url: str) -> float:
    """Rows a second into the same table with all its indexes by COPY: nothing that keeps the table can be faster."""
    stream, thread = stream_of(new_thread_id()), new_thread_id()
    texts = made_texts()
    ids = [event_id(thread, time.time_ns() // 1_000_000, str(number)) for number in range(COPIED)]
    async with await AsyncConnection.connect(connection_info(url, PoolTerms()), autocommit=True) as connection:
        begin = time.perf_counter()
        async with connection.cursor().copy(
            "COPY message_store.messages (id, stream_name, position, type, data, metadata) FROM STDIN"
        ) as rows:
            for position, id_ in enumerate(ids):
                await rows.write_row((id_, stream, position, *texts))
        return COPIED / (time.perf_counter() - begin)


# -- what is shown --------------------------------------------------------------------------------


async def main() -> None:
    """Measure everything, and show it line by line as it comes."""
    async with measured_database() as url:
        await _show_machine(url)
        results = []
        for disk in DISKS:
            for writers in WRITERS:
                results.append(await compare(url, disk, writers))
                _show(_line(results[-1]))
        floor = median([await copy(url) for _ in range(3)])
        _show(f"\nfloor: COPY into the same table, one transaction: {floor:,.0f}/s\n")
    for goal in _goals(results):
        _show(goal)


async def _show_machine(url: str) -> None:
    async with await AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        server, fsync = await cursor.fetchone() or ("?", "?")
    load = os.getloadavg()[0]
    _show(f"PostgreSQL {server}, fsync {fsync}, {os.cpu_count()} cores, load {load:.1f} before; medians of {ROUNDS}\n")
    _show(
        f"{'disk':<16}{'writers':>7} | {'write_message':>13}{'p50 ms':>8}{'p99 ms':>8} |"
        f" {'ours':>10}{'p50 ms':>8}{'p99 ms':>8} | {'times':>6}{'latency':>8}"
    )


def _line(result: Result) -> str:
    plain, ours = result.plain, result.ours
    return (
        f"{result.disk.name:<16}{result.writers:>7} |"
        f" {plain.rate:>11,.0f}/s{plain.p50 * 1e3:>8.2f}{plain.p99 * 1e3:>8.2f} |"
        f" {ours.rate:>8,.0f}/s{ours.p50 * 1e3:>8.2f}{ours.p99 * 1e3:>8.2f} |"
        f" {result.faster:>5.1f}x{result.latency:>7.2f}x"
    )


def _goals(results: list[Result]) -> list[str]:
    of = {(result.disk, result.writers): result for result in results}
    cheap, slow = DISKS
    return [
        _goal("64 writers, this disk", of[cheap, 64].faster, 8, at_least=True),
        _goal("64 writers, 2.5 ms commits", of[slow, 64].faster, 28, at_least=True),
        _goal("a lone writer's latency, this disk", of[cheap, 1].latency, 1.1, at_least=False),
        _goal("a lone writer's latency, 2.5 ms commits", of[slow, 1].latency, 1.1, at_least=False),
    ]


def _goal(name: str, measured: float, wanted: float, *, at_least: bool) -> str:
    met = measured >= wanted if at_least else measured <= wanted
    return f"{'met' if met else 'MISSED':<7}{name}: {measured:.2f} times; goal {'≥' if at_least else '≤'} {wanted}"


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
