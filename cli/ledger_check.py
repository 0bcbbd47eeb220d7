"""What `perdure doctor` says of the ledger: whether it keeps up with the log."""

from datetime import UTC, datetime, timedelta

from bootstrap import open_log
from cli.connection import places
from cli.errors import ClientError
from eventlog.feed import MOST_COUNTED, Lag
from eventlog.log import LogError, LogMisconfigured
from ledger.book import Book
from settings import Settings
from stack.checks import Check

NAME = "ledger"
LATE = timedelta(minutes=1)
"""What waits for longer is not being entered by anybody."""
_TABLES = "`perdure up` brings them to the embedded database, `python -m stack.provision` to another."
_KEEP = "Let a worker run with PERDURE_CONSUMERS=true; until then `perdure usage` brings it up to date."


async def ledger_check(settings: Settings) -> Check:
    """Look how far it is behind."""
    try:
        url = (await places(settings)).database
        async with open_log(settings, url) as log:
            return standing(await Book(log.feed).lag(), datetime.now(UTC))
    except LogMisconfigured as error:
        return Check(NAME, False, f"its tables are not in the database: {error}", _TABLES)
    except (ClientError, LogError):
        return Check(NAME, False, "cannot be seen without the database")


def standing(lag: Lag, now: datetime, name: str = NAME, remedy: str = _KEEP) -> Check:
    """Whether a consumer of the log is well, by how far it is behind."""
    if lag.waiting_since is None:
        return Check(name, True, "has all that is in the log")
    count = f"{lag.events:,}{' or more' if lag.events >= MOST_COUNTED else ''}"
    waiting = max(now - lag.waiting_since, timedelta())
    detail = f"is {count} events behind the log, the first of {waiting.total_seconds():,.0f} s ago"
    return Check(name, waiting < LATE, detail, "" if waiting < LATE else remedy)
