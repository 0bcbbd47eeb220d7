"""What `perdure doctor` says of budgets that threads share: whether they are kept, and which have nothing left."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bootstrap import open_book, open_log
from budgets.account import period_of
from budgets.files import read_budgets
from cli.budget_pages import Standing, standing
from cli.connection import places
from cli.errors import ClientError
from eventlog.log import LogError, LogMisconfigured
from policy.mistakes import InvalidFile
from settings import Settings
from stack.checks import Check

NAME = "budgets"


async def budgets_check(settings: Settings) -> list[Check]:
    """Look whether they can be kept; nothing is said where there are none."""
    if settings.budgets is None:
        return []
    try:
        read = read_budgets(settings.budgets)
        async with open_log(settings, (await places(settings)).database) as log:
            book = await open_book(settings, log)
            now = datetime.now(UTC)
            periods = [period_of(now, "day"), period_of(now, "month")]
            balances = await book.balances(periods) if book is not None else ()
    except InvalidFile as error:
        return [
            Check(NAME, False, f"their file is wrong: {error.lines[0]}", "`perdure budgets check` tells all of it.")
        ]
    except LogMisconfigured as error:
        return [Check(NAME, False, f"cannot be kept: {error}", "`python -m stack.provision` brings what is missing.")]
    except (ClientError, LogError):
        return [Check(NAME, False, "cannot be seen without the database")]
    return [told(len(read.budgets), [standing(read, balance) for balance in balances])]


def told(count: int, standings: Sequence[Standing]) -> Check:
    """What is used up is no defect, but somebody may look for it here."""
    empty = [
        f"{each.budget} of {each.principal or each.tenant} ({each.measure})" for each in standings if each.left == 0
    ]
    used_up = f"; nothing is left of {', '.join(empty)}" if empty else ""
    return Check(NAME, True, f"{count} in the file{used_up}")
