"""Where a log looks for artifacts: the bucket, if there is one, and the table beside the log, if there is one."""

from eventlog.artifacts.overflow import LIMIT, Overflow
from eventlog.artifacts.store import ArtifactStore
from eventlog.artifacts.table import TableArtifacts
from eventlog.statements import Statements


def overflow_of(statements: Statements, bucket: ArtifactStore | None, limit: int = LIMIT) -> Overflow:
    """New artifacts go into the bucket, or else into the table; what was kept in the table before is found there."""
    table = TableArtifacts(statements)
    return Overflow([table] if bucket is None else [bucket, table], limit)
