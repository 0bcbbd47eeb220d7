"""A server that speaks S3, signatures included, on this machine."""

import asyncio
import os
import re
import signal
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.ports import LOOPBACK
from stack.process import ServerProcess

KEY, SECRET, BUCKET = "tester", "unsafe secret", "artifacts"


@dataclass(frozen=True)
class Bucket:
    """A bucket that only one test uses."""

    folder: Path
    """Its objects, as files."""
    process: ServerProcess
    variables: dict[str, str]
    """Of the environment: where it is and who may go in."""

    @property
    def url(self) -> str:
        """How Perdure is told of it."""
        return f"s3://{BUCKET}/kept"

    def object(self, digest: str) -> Path:
        """Where an artifact stands."""
        [found] = self.folder.rglob(digest)
        return found

    async def stop(self) -> None:
        """Nobody answers any more."""
        await self.process.stop(signal.SIGKILL)


@asynccontextmanager
async def bucket_server(home: Path) -> AsyncIterator[Bucket]:
    """An empty bucket, for the block's duration."""
    folder = home / BUCKET
    folder.mkdir(parents=True)
    log = home / "log"
    program = str(Path(sysconfig.get_path("scripts"), "rclone"))
    process = ServerProcess("rclone", home / "pid", log)
    command = [program, "serve", "s3", str(home), "--addr", f"{LOOPBACK}:0", "--auth-key", f"{KEY},{SECRET}"]
    process.spawn([*command, "--config", "", "--vfs-cache-mode", "off"], env=os.environ)
    try:
        variables = {"AWS_ENDPOINT_URL": await _address(log), "AWS_REGION": "us-east-1"}
        variables |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        yield Bucket(folder, process, variables)
    finally:
        await process.stop(signal.SIGKILL)


async def _address(log: Path) -> str:
    """The address, as soon as the server says it."""
    async with asyncio.timeout(60):
        while True:
            if said := _said(log):
                return said
            await asyncio.sleep(0.02)


def _said(log: Path) -> str | None:
    found = re.search(r"\[(http://[^/\]]+)", log.read_text())
    return found[1] if found else None
