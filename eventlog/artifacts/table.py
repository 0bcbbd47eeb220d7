"""Artifacts in the log's own database: one table, which our role can read and add to, and nothing else."""

from collections.abc import Collection, Mapping
from typing import Final, LiteralString

from eventlog.artifacts.store import Digest
from eventlog.statements import Statements

MAY_KEEP: Final[LiteralString] = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_class class
    JOIN pg_catalog.pg_namespace schema ON schema.oid = class.relnamespace
   WHERE schema.nspname = 'perdure'
     AND class.relname = 'artifacts'
     AND pg_catalog.has_schema_privilege(schema.oid, 'USAGE')
     AND pg_catalog.has_table_privilege(class.oid, 'SELECT')
     AND pg_catalog.has_table_privilege(class.oid, 'INSERT'))
"""
"""Whether the table is installed, for us."""

KEEP: Final[LiteralString] = """
INSERT INTO perdure.artifacts (sha256, content)
SELECT given.sha256, given.content
  FROM unnest(%b::bytea[], %b::bytea[]) AS given (sha256, content)
 WHERE NOT EXISTS (SELECT FROM perdure.artifacts kept WHERE kept.sha256 = given.sha256)
    ON CONFLICT DO NOTHING
RETURNING 1
"""
"""Looks first: a conflict is noticed only after the content was taken apart and stored once more."""

FETCH: Final[LiteralString] = """
SELECT encode(sha256, 'hex'), content FROM perdure.artifacts WHERE sha256 = ANY (%b::bytea[])
"""


class TableArtifacts:
    """The table `perdure.artifacts`. It may not be there: older databases have none, and not everybody may install.

    A lost connection is a `ConnectionLost`; whoever asked may ask again.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._there = False

    async def is_open(self) -> bool:
        """Whether the table is there. Once it is, it stays; while it is not, it is looked for again each time."""
        if not self._there:
            [(found,)] = await self._statements.rows(MAY_KEEP)
            self._there = bool(found)
        return self._there

    async def keep(self, artifacts: Mapping[Digest, bytes]) -> None:
        """Keep these; see `ArtifactStore.keep`."""
        digests = sorted(artifacts)  # in one order, so that two writers never wait for each other
        keys = [bytes.fromhex(digest) for digest in digests]
        contents = [artifacts[digest] for digest in digests]
        await self._statements.rows(KEEP, keys, contents)

    async def fetch(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Those that are there; see `ArtifactStore.fetch`."""
        if not await self.is_open():
            return {}
        keys = [bytes.fromhex(digest) for digest in digests]
        rows = await self._statements.rows(FETCH, keys)
        return {str(digest): bytes(content) for digest, content in rows}
