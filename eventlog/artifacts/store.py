"""The port behind which artifacts stand: bytes under their SHA-256, written before the event that refers to them.

What is kept is never changed and never in doubt: the same content has the same name, so that keeping it twice is
keeping it once, and whoever died in between leaves at worst an artifact that nobody refers to.
"""

from collections.abc import Collection, Mapping
from typing import Protocol, TypeAlias

from eventlog.log import LogUnavailable

Digest: TypeAlias = str
"""The SHA-256 of an artifact's bytes: 64 hexadecimal digits in lower case."""


class ArtifactsUnavailable(LogUnavailable):
    """The place where large content is kept cannot be reached; the log itself may well be."""


class ArtifactStore(Protocol):
    """Keeps bytes under their digests. Every method raises `LogUnavailable` where the store cannot be reached."""

    async def is_open(self) -> bool:
        """Whether artifacts can be kept here at all; asked only of what is kept in the log's own database."""
        ...

    async def keep(self, artifacts: Mapping[Digest, bytes]) -> None:
        """Keep these, durably; those that are there already stay."""
        ...

    async def fetch(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Those of these that are there, as they stand there: whoever asked looks at their hashes."""
        ...
