"""PostgreSQL and Temporal as they are in earnest: durable, and able to come back after a kill."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from stack.home import cache_folder
from stack.messagedb import create_database, install
from stack.ports import free_port
from stack.postgres import ADMIN, DATABASE, EmbeddedPostgres
from stack.server import Server
from stack.temporal import DYNAMIC_CONFIG, TemporalServer


class Servers:
    """One of each, on ports that they keep."""

    def __init__(self, folder: Path, dynamic_config: Mapping[str, int] = DYNAMIC_CONFIG) -> None:
        postgres, temporal = folder / "postgres", folder / "temporal"
        self.postgres = EmbeddedPostgres(
            postgres, port=free_port(), record=postgres / "pid", log=postgres / "log", options={"fsync": "on"}
        )
        self.temporal = TemporalServer(
            temporal / "temporal.db",
            port=free_port(),
            ui_port=None,
            record=temporal / "pid",
            log=temporal / "log",
            dynamic_config=dynamic_config,
        )

    async def start(self) -> None:
        """Start what does not run, with the data it had."""
        await asyncio.gather(self.postgres.start(), self.temporal.start())

    async def install(self) -> None:
        """Give PostgreSQL its Message DB."""
        await create_database(self.postgres.admin_url, DATABASE)
        await install(self.postgres.url(ADMIN), cache_folder(), self.postgres.writer_password)

    async def stop(self) -> None:
        """Stop both, whatever they are doing."""
        await asyncio.gather(self.postgres.stop(), self.temporal.stop())


def kill(*servers: Server) -> None:
    """End servers at once, without a chance to do anything, and wait until they have ended."""
    processes = [process for server in servers if (process := server.process.find())]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def freeze(*servers: Server) -> None:
    """Stop the clock of servers and of all their processes."""
    for process in _processes(servers):
        with suppress(psutil.NoSuchProcess):
            process.suspend()


def thaw(*servers: Server) -> None:
    """Let servers go on as if nothing had been."""
    for process in _processes(servers):
        with suppress(psutil.NoSuchProcess):
            process.resume()


def _processes(servers: tuple[Server, ...]) -> Iterator[psutil.Process]:
    for server in servers:
        if process := server.process.find():
            yield process
            with suppress(psutil.NoSuchProcess):
                yield from process.children(recursive=True)
