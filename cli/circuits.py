"""How circuits are shown, and what the doctor sees of them and of limits."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bootstrap import open_log, open_store
from cli.connection import places
from cli.errors import ClientError
from cli.visible import visible
from eventlog.log import LogError
from policy.mistakes import InvalidFile
from resilience.limits import read_limits
from resilience.store import Change, Circuit
from settings import Settings
from stack.checks import Check

_STYLES = {"closed": "green", "half_open": "yellow", "open": "red"}
_WAIT = "It is tried again by itself; `perdure breakers list` tells more, `perdure breakers reset` does not wait."


def circuits_page(page: Console, circuits: Sequence[Circuit], changes: Sequence[Change]) -> None:
    """The circuits, and how they changed."""
    if not circuits:
        page.print("no circuit ever failed")
        return
    table = _table("circuit", "state", "since", "", "why")
    for each in circuits:
        state = Text(each.state, style=_STYLES[each.state])
        table.add_row(Text(visible(each.name)), state, _moment(each.since), _outlook(each), Text(visible(each.why)))
    page.print(table)
    if changes:
        table = _table("changes", "circuit", "to", "why")
        for change in changes:
            state = Text(change.after, style=_STYLES[change.after])
            table.add_row(_moment(change.at), Text(visible(change.name)), state, Text(visible(change.why)))
        page.print()
        page.print(table)


def reset_page(page: Console, closed: Sequence[str]) -> None:
    """Which circuits were closed by hand."""
    for name in closed:
        page.print(Text(f"{visible(name)}: closed"), soft_wrap=True)
    if not closed:
        page.print("nothing was open")


async def resilience(settings: Settings) -> Sequence[Check]:
    """The circuits that are not closed, and whether the file of limits can be read."""
    try:
        limits = read_limits(settings.rate_limits)
    except InvalidFile as error:
        return [Check("rate limits", False, str(error), "Correct the file that PERDURE_RATE_LIMITS names.")]
    try:
        async with open_log(settings, (await places(settings)).database) as log:
            store = await open_store(log)
            troubled = await store.troubled() if store is not None else None
    except (ClientError, LogError):
        return [Check("circuits", True, "cannot be seen without the database: see there")]
    if troubled is None:
        lost = "no circuits, and limits do not hold" if limits.limits else "no circuits"
        told = f"the database has no tables for them: {lost}"
        return [Check("circuits", not limits.limits, told, "See docs/resilience.md." if limits.limits else "")]
    return [_circuits(troubled)]


def _circuits(troubled: Sequence[Circuit]) -> Check:
    ill = [f"{each.name} is {each.state} since {_moment(each.since)}: {each.why}" for each in troubled if _ill(each)]
    slow = [f"{each.name} has asked for {each.slow:.0f} s of patience" for each in troubled if each.slow > 0]
    return Check("circuits", not ill, "; ".join([*ill, *slow]) or "all closed", _WAIT if ill else "")


def _ill(circuit: Circuit) -> bool:
    return circuit.state != "closed"


def _outlook(circuit: Circuit) -> str:
    """What comes next."""
    if circuit.state == "open":
        return f"tried again in {circuit.wait:.0f} s" if circuit.wait > 0 else "tried with the next call"
    if circuit.state == "half_open":
        return "somebody tries it"
    if circuit.slow > 0:
        return f"asks for {circuit.slow:.0f} s of patience"
    return f"{circuit.failures} failures of late" if circuit.failures else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _moment(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
