"""What the doctor sees of notices: whether everybody who is to be told can be, and what could not be delivered."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bootstrap import open_log, open_office, open_vault
from cli.connection import places
from cli.errors import ClientError
from cli.ledger_check import LATE
from eventlog.log import LogError, LogMisconfigured
from eventlog.streams import AGENT
from notices.deliveries import Backlog
from notices.office import Addressees
from notices.outbox import NAME
from policy.mistakes import InvalidFile
from settings import Settings
from stack.checks import Check
from tools.errors import UnusablePlugin

_LOOK = "`perdure webhooks list` shows more, `perdure webhooks test` tries an endpoint."
_DECIDE = "`perdure dead-letters list` shows them; retry or discard each."


async def notices(settings: Settings) -> Sequence[Check]:
    """The endpoints, where there are any, and the dead letters."""
    try:
        where = await places(settings)
        async with (
            open_log(settings, where.database) as log,
            open_office(settings, log, open_vault(settings)) as office,
        ):
            dead = _dead_letters(len(await office.letters.open()))
            if not office.addressees.targets:
                return [dead]
            unread = (await log.feed.lag(NAME, AGENT)).waiting_since
            return [_webhooks(office.addressees, await office.deliveries.backlog(), unread), dead]
    except InvalidFile as error:
        return [Check("webhooks", False, str(error), "Correct the file that PERDURE_WEBHOOKS names.")]
    except UnusablePlugin as error:
        return [Check("plugins", False, str(error), "Correct PERDURE_PLUGINS, or the plugin.")]
    except LogMisconfigured as error:
        return [
            Check("webhooks", False, str(error), "Nobody is told until `python -m stack.provision` has run once more.")
        ]
    except (ClientError, LogError):
        return [Check("dead letters", True, "cannot be seen without the database: see there")]


def _webhooks(addressees: Addressees, backlog: Sequence[Backlog], unread: datetime | None) -> Check:
    problems = [f"{each.name}: {problem}" for each in addressees.webhooks for problem in each.problems()]
    problems += [f"{each.target}: {each.problem}" for each in backlog if each.problem]
    if unread is not None and datetime.now(UTC) - unread > LATE:
        problems.append(f"no worker looks for what is to be told, since {unread:%Y-%m-%d %H:%M} UTC")
    counts = f"{len(addressees.targets)} to tell, {sum(each.waiting for each in backlog)} notices wait"
    return Check("webhooks", not problems, "; ".join([counts, *problems]), _LOOK if problems else "")


def _dead_letters(count: int) -> Check:
    return Check(
        "dead letters", count == 0, f"{count} wait for a decision" if count else "none", _DECIDE if count else ""
    )
