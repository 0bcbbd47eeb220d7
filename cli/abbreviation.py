"""Which waiting call is meant: its id, enough of it, or nothing where just one waits."""

from collections.abc import Sequence

from cli.errors import NotFound, Refused
from eventlog.streams import ThreadId


def meant(thread: ThreadId, abbreviation: str | None, waiting: Sequence[str]) -> str:
    """The one id that is meant; raises `NotFound` or `Refused` that names those that wait."""
    if not waiting:
        raise NotFound(f"no call of thread {thread} waits for an answer", remedy="`perdure pending` shows what waits")
    found = _matching(waiting, abbreviation)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(
            f"no call like {abbreviation!r} waits for an answer in thread {thread}",
            remedy=f"waiting: {', '.join(waiting)}",
        )
    named = "several calls wait" if abbreviation is None else f"{abbreviation!r} could mean several calls"
    raise Refused(f"{named} in thread {thread}", remedy=f"say which: {', '.join(found)}", kind="ambiguous")


def _matching(ids: Sequence[str], abbreviation: str | None) -> Sequence[str]:
    """The ids that begin with the abbreviation, else those that contain it: ids of one provider begin alike."""
    if abbreviation is None:
        return ids
    return [id_ for id_ in ids if id_.startswith(abbreviation)] or [id_ for id_ in ids if abbreviation in id_]
