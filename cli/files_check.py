"""What `perdure doctor` says of the files of prices and alerts, with which no worker starts if they are wrong."""

from collections.abc import Iterator
from pathlib import Path

from bootstrap import read_prices
from ledger.alerts import read_alerts
from llm.pricing import UnusablePrices
from policy.mistakes import InvalidFile
from settings import Settings
from stack.checks import Check


def files_check(settings: Settings) -> Iterator[Check]:
    """Read each of them that is named; nothing is said of those that are not."""
    if settings.prices_file is not None:
        yield _prices(settings)
    if settings.alerts is not None:
        yield _alerts(settings.alerts)


def _prices(settings: Settings) -> Check:
    try:
        read_prices(settings)
    except UnusablePrices as error:
        return Check("prices", False, str(error), "Correct the file that PERDURE_PRICES_FILE names.")
    return Check("prices", True, f"{settings.prices_file} can be read")


def _alerts(file: Path) -> Check:
    try:
        read = read_alerts(file)
    except InvalidFile as error:
        return Check("alerts", False, str(error), "Correct the file that PERDURE_ALERTS names.")
    return Check("alerts", True, f"{len(read.alerts)} in the file")
