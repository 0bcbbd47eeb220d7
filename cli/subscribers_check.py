"""What the doctor sees of plugins' subscribers: whether each keeps up with the log."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bootstrap import load_extensions, open_log
from cli.connection import places
from cli.errors import ClientError
from cli.ledger_check import standing
from eventlog.log import LogError
from eventlog.postgres import PostgresEventLog
from eventlog.streams import AGENT
from eventlog.subscriber import BEFORE, Subscriber
from settings import Settings
from stack.checks import Check
from tools.errors import UnusablePlugin

_FOLLOW = "Let a worker run that has its plugin, with PERDURE_CONSUMERS=true."


async def subscribers_check(settings: Settings) -> Sequence[Check]:
    """Look how far each is behind; nothing where there is none, or nothing to see them with."""
    try:
        subscribers = load_extensions(settings).of(Subscriber)
        if not subscribers:
            return []
        async with open_log(settings, (await places(settings)).database) as log:
            return [await _check(log, each) for each in subscribers]
    except (UnusablePlugin, ClientError, LogError):  # told by the checks of these
        return []


async def _check(log: PostgresEventLog, subscriber: Subscriber) -> Check:
    name = f"subscriber {subscriber.name.removeprefix(BEFORE)}"
    return standing(await log.feed.lag(subscriber.name, AGENT), datetime.now(UTC), name, _FOLLOW)
