"""Snapshots in a table beside the log: one statement to find, one to keep, and neither is tried twice."""

from typing import Final, LiteralString

from eventlog.snapshots import Snapshot
from eventlog.statements import Statements
from eventlog.streams import StreamName

FIND: Final[LiteralString] = """
SELECT snapshot.position, snapshot.event_id, snapshot.state
  FROM perdure.snapshots snapshot
  JOIN message_store.messages event
    ON event.id = snapshot.event_id
   AND event.stream_name = snapshot.stream_name
   AND event.position = snapshot.position
 WHERE snapshot.stream_name = %b::text
   AND snapshot.projection = %b::text
   AND snapshot.version = %b::text
   AND snapshot.position <= coalesce(%b::bigint, snapshot.position)
"""

KEEP: Final[LiteralString] = """
INSERT INTO perdure.snapshots AS kept (stream_name, projection, version, position, event_id, state)
VALUES (%b::text, %b::text, %b::text, %b::bigint, %b::uuid, %b::bytea)
    ON CONFLICT (stream_name, projection) DO UPDATE
   SET version = excluded.version, position = excluded.position, event_id = excluded.event_id,
       state = excluded.state, made_at = now()
 WHERE kept.position <= excluded.position
    OR kept.version <> excluded.version
    OR NOT EXISTS (
         SELECT FROM message_store.messages event
          WHERE event.id = kept.event_id
            AND event.stream_name = kept.stream_name
            AND event.position = kept.position)
RETURNING position
"""


class PostgresSnapshots:
    """See `Snapshots`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, stream: StreamName, projection: str, version: str, at: int | None = None) -> Snapshot | None:
        """The snapshot of this version, if there is one no newer than `at`; see `Snapshots.find`."""
        for position, event_id, state in await self._statements.rows(FIND, stream, projection, version, at):
            return Snapshot(stream, projection, version, position, event_id, bytes(state))
        return None

    async def keep(self, snapshot: Snapshot) -> None:
        """Put it in the place of an older one; see `Snapshots.keep`."""
        await self._statements.rows(
            KEEP,
            snapshot.stream,
            snapshot.projection,
            snapshot.version,
            snapshot.position,
            snapshot.event_id,
            snapshot.state,
        )
