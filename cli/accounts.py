"""The ledger as a command uses it: brought up to date by whoever may, and asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bootstrap import ledger_follower, open_log
from cli.command import Invocation
from cli.connection import places, quiet_logs
from cli.errors import DatabaseUnreachable, NotFound
from eventlog.consumer import Follower
from eventlog.feed import Feed, HoldLost
from eventlog.log import NO_STREAM, EventLog, LogMisconfigured
from eventlog.streams import ThreadId, stream_of
from ledger.book import Book

PATIENCE = 15.0
"""Seconds that a ledger may stand still before what it has is answered; twice what a dead worker holds it for."""
LOOK_AGAIN = 0.2
NO_TABLES = "MESSAGE_DB_ADMIN_URL=… python -m stack.provision brings them; on the embedded database, perdure up does"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The ledger of the log that the settings name."""

    log: EventLog
    feed: Feed
    book: Book
    follower: Follower

    async def require(self, thread: str) -> None:
        """Raise `NotFound` where the log has no such thread."""
        if await self.log.version(stream_of(ThreadId(thread))) == NO_STREAM:
            raise NotFound(f"there is no thread {thread}", remedy="`perdure list` shows the threads there are")

    async def bring_up(self) -> int:
        """Enter what stands in the log now, or have a worker do it; how many events are still missing."""
        clock = asyncio.get_running_loop().time
        lag = await self.book.lag()
        goal, moved_at = lag.newest, clock()
        while (lag.position or 0) < goal and clock() < moved_at + PATIENCE:
            if not await self._catch_up():
                await asyncio.sleep(LOOK_AGAIN)
            before, lag = lag, await self.book.lag()
            moved_at = clock() if lag.position != before.position else moved_at
        return lag.events if (lag.position or 0) < goal else 0

    async def _catch_up(self) -> bool:
        try:
            return await self.follower.catch_up()
        except HoldLost:
            return False


@asynccontextmanager
async def open_accounts(run: Invocation) -> AsyncIterator[Accounts]:
    """The ledger, for the block's duration; Temporal is not needed, nor a worker."""
    quiet_logs()
    where = await places(run.settings)
    async with open_log(run.settings, where.database) as log:
        accounts = Accounts(log, log.feed, Book(log.feed), ledger_follower(log))
        try:
            yield accounts
        except LogMisconfigured as error:
            raise DatabaseUnreachable(
                f"the database has no ledger: {error}", kind="database_misconfigured", remedy=NO_TABLES
            ) from error
