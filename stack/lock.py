"""One process at a time starts or stops the system; the kernel lets go of a dead one's lock."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from stack.errors import DataFolderUnusable, StackBusy

TIMEOUT = 180.0
"""Seconds."""
INTERVAL = 0.05


@asynccontextmanager
async def locked(file: Path, timeout: float = TIMEOUT) -> AsyncIterator[None]:
    """Hold the lock for as long as the block runs. Raises `StackBusy`."""
    try:
        handle = file.open("a")
    except OSError as error:
        raise DataFolderUnusable(file.parent, str(error)) from error
    with handle:  # closing it lets go of the lock
        try:
            async with asyncio.timeout(timeout):
                while not _take(handle):  # noqa: ASYNC110 - another process's lock sets no event of ours
                    await asyncio.sleep(INTERVAL)
        except TimeoutError:
            raise StackBusy(file, timeout) from None
        yield


def _take(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
