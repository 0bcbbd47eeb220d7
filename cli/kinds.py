"""Types of events, as they are named on a command line."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from cli.errors import BadUsage
from eventlog.custom import NAME
from eventlog.encoding import KNOWN


def kinds(given: Iterable[str]) -> Collection[str]:
    """The types that are meant; none is all. Raises `BadUsage` for what is none of ours, nor a plugin's by its form."""
    wanted = frozenset(given)
    for name in wanted - KNOWN.keys():
        if not NAME.fullmatch(name):
            near = get_close_matches(name, KNOWN, n=3, cutoff=0.5)
            meant = f"do you mean {' or '.join(near)}?" if near else "list them: perdure schema export | jq keys"
            raise BadUsage(f"there are no events of the type {name!r}", remedy=meant)
    return wanted
