"""A database to measure on: PostgreSQL with Message DB and our function, durable, in a folder that is thrown away."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from stack.home import cache_folder
from stack.messagedb import create_database, install
from stack.ports import free_port
from stack.postgres import ADMIN, DATABASE, EmbeddedPostgres

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",  # no checkpoint in the middle of one run and not of its neighbour
    "checkpoint_timeout": "60min",
}


@dataclass(frozen=True, slots=True)
class Disk:
    """What a commit waits for."""

    name: str
    options: str
    """Session settings that imitate it."""


DISKS = (
    Disk("this disk", ""),
    Disk("2.5 ms commits", "-c commit_delay=2000 -c commit_siblings=0"),
)
"""The second is like a common cloud disk: a commit waits, however few others there are."""


def url_on(disk: Disk, url: str) -> str:
    """The address, for connections that commit as if on this disk."""
    return make_conninfo(url, options=disk.options)


@asynccontextmanager
async def measured_database() -> AsyncIterator[str]:
    """The address, as a superuser that may imitate disks, for the block's duration."""
    with tempfile.TemporaryDirectory(prefix="perdure-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "postgres"
        server = EmbeddedPostgres(folder, port=free_port(), record=folder / "pid", log=folder / "log", options=SETTINGS)
        try:
            await server.start()
            await create_database(server.admin_url, DATABASE)
            await install(server.url(ADMIN), cache_folder(), server.writer_password)
            yield server.url(ADMIN)
        finally:
            await server.stop()
