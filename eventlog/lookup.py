"""What stands under an id, and how far a stream has come: one statement each."""

from uuid import UUID

from eventlog.artifacts.overflow import Overflow
from eventlog.encoding import Row, decode
from eventlog.log import NO_STREAM, Recorded
from eventlog.queries import FIND, VERSION
from eventlog.statements import Statements
from eventlog.streams import StreamName


async def find(statements: Statements, overflow: Overflow, id_: UUID) -> Recorded | None:
    """The event with this id, whole, if it is in the log."""
    rows = await overflow.whole([Row(*row) for row in await statements.rows(FIND, id_)])
    return decode(rows[0]) if rows else None


async def version(statements: Statements, stream: StreamName) -> int:
    """The position of the stream's last event; `NO_STREAM` where there is none."""
    [(position,)] = await statements.rows(VERSION, stream)
    return NO_STREAM if position is None else int(position)
