"""Artifacts in memory, for the log in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from eventlog.artifacts.store import Digest


@dataclass(slots=True)
class MemoryArtifacts:
    """What `TableArtifacts` promises, without durability."""

    _kept: dict[Digest, bytes] = field(default_factory=dict, init=False)

    async def is_open(self) -> bool:
        """Always."""
        return True

    async def keep(self, artifacts: Mapping[Digest, bytes]) -> None:
        """Keep these; see `ArtifactStore.keep`."""
        self._kept = {**artifacts, **self._kept}

    async def fetch(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Those that are there; see `ArtifactStore.fetch`."""
        return {digest: self._kept[digest] for digest in digests if digest in self._kept}
