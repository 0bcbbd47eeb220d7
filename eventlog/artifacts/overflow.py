"""Takes what is too large out of entries before they are written, and puts it back into rows that are read.

Only the log knows of it: entries come in whole and events go out whole, and are compared whole.
"""

from collections.abc import Collection, Mapping, Sequence

import structlog

from eventlog.artifacts.references import MARK, fill, is_content, referred, size_of, thin
from eventlog.artifacts.store import ArtifactStore, Digest
from eventlog.encoding import Row

LIMIT = 256 * 1024
"""Bytes of JSON that an event's data may have before its largest strings are kept elsewhere: a second transaction
costs more than it saves below that (`bench/artifacts.py`)."""

logger = structlog.get_logger(__name__)


class Overflow:
    """Keeps in the first of its stores; looks in all of them, for it may have been another one before."""

    def __init__(self, stores: Sequence[ArtifactStore], limit: int = LIMIT) -> None:
        self._stores = stores
        self._limit = limit
        self._told = False

    def overflows(self, data: str) -> bool:
        """Whether an event's JSON is too large to be written as it is."""
        return len(data) > self._limit or (not data.isascii() and size_of(data) > self._limit)

    async def thinned(self, data: str) -> str:
        """The JSON as it is to be written, once what was taken out of it is kept. Raises `LogUnavailable`.

        Where nothing can be kept it is written whole: as large an entry as the log takes, only more slowly.
        """
        result = thin(data, self._limit)
        if not result.artifacts:
            return data
        if not await self.keep(result.artifacts):
            return data
        return result.data

    async def keep(self, artifacts: Mapping[Digest, bytes]) -> bool:
        """Keep these; whether there is a place for them. Raises `LogUnavailable`."""
        store = self._stores[0]
        if not await store.is_open():
            self._tell()
            return False
        await store.keep(artifacts)
        return True

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            logger.info("log_has_no_artifacts", consequence="large events are written whole, which is slower")

    async def whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with everything put back that is to be found; what is not is told by `decode`."""
        wanted: set[Digest] = set()
        for row in rows:
            if row.data and MARK in row.data:
                wanted |= referred(row.data)
        if not wanted:
            return rows
        found = await self.fetch(wanted)
        return [row._replace(data=fill(row.data, found)) if row.data else row for row in rows]

    async def fetch(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Those of these that are to be found, whole, in any of the stores. Raises `LogUnavailable`."""
        found: dict[Digest, bytes] = {}
        for store in self._stores:
            missing = [digest for digest in digests if digest not in found]
            if missing:
                fetched = await store.fetch(missing)
                found |= {digest: content for digest, content in fetched.items() if is_content(digest, content)}
        return found
