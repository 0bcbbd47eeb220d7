"""What large content costs, kept beside the log, over the same events written whole: appending and reading them.

`python -m bench.artifacts` runs it in about a minute on a PostgreSQL of its own. Both ways have a log of their own in
one database, and take turns. Text is what tools and models return, which PostgreSQL compresses; an image in base64 is
as good as random. The size from which it pays is what `eventlog.artifacts.overflow.LIMIT` should be.
"""

import asyncio
import base64
import os
import random
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

from bench.database import measured_database
from eventlog.artifacts.overflow import LIMIT
from eventlog.events import AnyEvent, SessionPaused
from eventlog.ids import new_thread_id
from eventlog.log import Appended, Entry, EventLog
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import StreamName, stream_of

SIZES = {16 * 1024: 40, 64 * 1024: 40, 256 * 1024: 16, 1024 * 1024: 8}
"""Bytes of one event, and how many of them each round writes and reads."""
ROUNDS = 5
METADATA = Metadata(at=datetime(2026, 1, 1, tzinfo=UTC))
WORDS = ("the", "agent", "looks", "at", "a", "file", "and", "writes", "what", "it", "found", "there")


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds for one event."""

    append: float
    read: float


def text(size: int) -> str:
    """Words, different each time."""
    words = random.choices(WORDS, k=size // 3)  # noqa: S311 - nobody guesses it
    return " ".join((str(uuid4()), *words))[:size]


def image(size: int) -> str:
    """What an image is in base64."""
    return base64.b64encode(random.randbytes(size * 3 // 4)).decode()[:size]  # noqa: S311 - nobody guesses it


async def run(log: EventLog, contents: list[str]) -> Run:
    """Append them one after another to a stream of their own, and read it."""
    stream = stream_of(new_thread_id())
    entries = [Entry(uuid4(), SessionPaused(by=content), METADATA) for content in contents]
    begin = time.perf_counter()
    for position, entry in enumerate(entries):
        if await log.append(stream, entry) != Appended(position):
            raise AssertionError(f"an event of {stream} was not written where it belongs")
    appended = time.perf_counter()
    read = await _read(log, stream)
    end = time.perf_counter()
    if read != [entry.event for entry in entries]:
        raise AssertionError(f"{stream} was not read as it was written")
    return Run((appended - begin) / len(entries), (end - appended) / len(entries))


async def _read(log: EventLog, stream: StreamName) -> list[AnyEvent]:
    return [recorded.event async for recorded in log.read(stream)]


async def compare(whole: EventLog, apart: EventLog, contents: list[list[str]]) -> tuple[Run, Run]:
    """Both ways in turns, on the same contents; each once more before, for warmth."""
    runs = [(await run(whole, each), await run(apart, each)) for each in contents][1:]
    return _medians([first for first, _ in runs]), _medians([second for _, second in runs])


def _medians(runs: list[Run]) -> Run:
    return Run(median(run.append for run in runs), median(run.read for run in runs))


async def main() -> None:
    """Measure everything, and show it line by line as it comes."""
    _show(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; medians of {ROUNDS}; ms for an event\n")
    _show(f"{'content':<8}{'KiB':>6} |" + f"{'whole':>12}{'apart':>10}{'times':>7} |" * 2 + "  append | read")
    async with (
        measured_database() as url,
        PostgresEventLog.connect(url, limit=sys.maxsize) as whole,
        PostgresEventLog.connect(url, limit=min(SIZES) - 1) as apart,
    ):
        for name, make in (("text", text), ("image", image)):
            for size, count in SIZES.items():
                contents = [[make(size) for _ in range(count)] for _ in range(ROUNDS + 1)]
                _show(_line(name, size, *await compare(whole, apart, contents)))
    _show(f"\nwhat is kept apart begins at {LIMIT // 1024} KiB")


def _line(name: str, size: int, whole: Run, apart: Run) -> str:
    return (
        f"{name:<8}{size // 1024:>6} |"
        f"{whole.append * 1e3:>12.2f}{apart.append * 1e3:>10.2f}{whole.append / apart.append:>6.2f}x |"
        f"{whole.read * 1e3:>12.2f}{apart.read * 1e3:>10.2f}{whole.read / apart.read:>6.2f}x |"
    )


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
