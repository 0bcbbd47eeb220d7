"""A process that comes to one gate as often as it can: `python -m tests.resilience.hammer URL NAME CALLS`."""

import asyncio
import sys

from eventlog.postgres import PostgresEventLog
from resilience.postgres import PostgresStore
from resilience.store import Pass


async def hammer(url: str, name: str, calls: int) -> int:
    """How many of its calls are let through."""
    async with PostgresEventLog.connect(url) as log:
        store = PostgresStore(log.statements)
        asked = [Pass("shared", burst=10 * 3600.0, cost=3600.0, flow=name)]
        delays = await asyncio.gather(*(store.pass_(asked, f"{name}/{number}", 1.0) for number in range(calls)))
        return sum(delay is None for delay in delays)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(hammer(sys.argv[1], sys.argv[2], int(sys.argv[3])))}\n")
