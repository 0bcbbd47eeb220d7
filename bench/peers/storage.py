"""Large payloads in files instead of Temporal's history: Temporal's external storage, which is in public preview.

Temporal ships drivers for Amazon's and Google's stores; a folder stands for them here, as the fastest there can be.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    ExternalStorage,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)


class Folder(StorageDriver):
    """Each payload in a file that is named by its content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def name(self) -> str:
        """How histories refer to it."""
        return "folder"

    async def store(self, _: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Write the payloads, and say where."""
        return [self._store(payload.SerializeToString()) for payload in payloads]

    async def retrieve(self, _: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]) -> list[Payload]:
        """Read the payloads."""
        return [Payload.FromString((self._folder / claim.claim_data["file"]).read_bytes()) for claim in claims]

    def _store(self, content: bytes) -> StorageDriverClaim:
        name = hashlib.sha256(content).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(content)
        return StorageDriverClaim(claim_data={"file": name})


def converter(folder: Path) -> DataConverter:
    """Temporal's converter, with payloads over its default threshold in the folder."""
    return dataclasses.replace(DataConverter.default, external_storage=ExternalStorage(drivers=[Folder(folder)]))
