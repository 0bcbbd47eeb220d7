"""The embedded system as one thing: up, attached to, watched over, down.

Its whole memory is one folder. Whoever comes second finds what runs and attaches; of two who come at once, a lock
decides; what a dead one left running is found again by its process records.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Coroutine
from pathlib import Path

import structlog

from stack.addresses import Addresses, Options
from stack.errors import ServerDied, StackError
from stack.home import Home
from stack.lock import locked
from stack.messagedb import create_database, install
from stack.postgres import ADMIN, DATABASE
from stack.server import Server
from stack.servers import NAMES, Servers

WATCH_INTERVAL = 0.5
"""Seconds between two looks at whether everything runs."""
RESTARTS = 5
RESTART_WINDOW = 60.0
"""A server that crashes more than `RESTARTS` times in so many seconds is not started again."""

logger = structlog.get_logger()


class Stack:
    """The system of one home."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._home = Home(options.home)
        self._servers = Servers(self._home)
        self._crashes: defaultdict[str, deque[float]] = defaultdict(deque)

    @property
    def addresses(self) -> Addresses:
        """Where everything is."""
        options, temporal = self._options, self._servers.temporal()
        return Addresses(
            temporal=options.temporal_address or temporal.address,
            temporal_ui=None if options.temporal_address else temporal.ui,
            database=options.database_url or self._servers.postgres().url(),
            model=self._servers.model().base_url if options.scripted_model else None,
            pids=self._servers.pids(options.wanted()),
        )

    async def start(self) -> None:
        """Start what is missing and wait until all is ready; leave nothing behind that was started in vain."""
        self._home.make()
        async with locked(self._home.lock):
            there = self._servers.pids()
            try:
                await _all([self._start(name) for name in self._options.wanted()])
                self.addresses.save(self._home.stack)
            except BaseException:
                await self._servers.stop(name for name in NAMES if name not in there)
                raise

    async def _start(self, name: str) -> None:
        await self._servers.start(name)
        if name == "postgres":
            postgres = self._servers.postgres()
            await create_database(postgres.admin_url, DATABASE)
            await install(postgres.url(ADMIN), self._options.cache, postgres.writer_password)

    async def supervise(self) -> None:
        """Start again what crashes, on its port and with its data, until the system is taken down.

        Raises `ServerDied` when a server keeps crashing.
        """
        while self._home.stack.exists():
            if self._crashed():
                async with locked(self._home.lock):
                    await self._restart()
            await asyncio.sleep(WATCH_INTERVAL)

    def _crashed(self) -> list[str]:
        running = self._servers.pids(self._options.wanted())
        return [name for name in self._options.wanted() if name not in running]

    async def _restart(self) -> None:
        """Start again what is still missing now that nobody else starts or stops it."""
        if not self._home.stack.exists():
            return
        for name in self._crashed():
            server = self._servers.of(name)
            self._count_crash(name, server)
            logger.warning("server_crashed", server=name, ports=server.ports)
            try:
                await server.start()
                logger.info("server_restarted", server=name, ports=server.ports)
            except StackError as error:
                logger.warning("server_not_restarted", server=name, problem=error.problem)
        self.addresses.save(self._home.stack)

    def _count_crash(self, name: str, server: Server) -> None:
        times, now = self._crashes[name], time.monotonic()
        while times and times[0] < now - RESTART_WINDOW:
            times.popleft()
        if len(times) >= RESTARTS:
            how = f"crashed {RESTARTS + 1} times within {RESTART_WINDOW:.0f} seconds"
            raise ServerDied(server.process.name, server.process.log, how)
        times.append(now)


async def _all(parts: list[Coroutine[None, None, None]]) -> None:
    """Wait for all of them, then raise the first one's error."""
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if outcome is not None:
            raise outcome


async def up(options: Options) -> Stack:
    """Start what is missing of the system, or attach to it if all of it runs. Raises `StackError`."""
    stack = Stack(options)
    await stack.start()
    return stack


async def running(home: Path) -> Addresses | None:
    """Where everything is, if all that was started in this home runs and answers."""
    layout = Home(home)
    addresses = Addresses.load(layout.stack)
    if addresses is None or not set(addresses.pids) <= set(NAMES):
        return None
    servers = Servers(layout)
    pids = servers.pids(addresses.pids)
    if set(pids) != set(addresses.pids):
        return None
    healthy = await asyncio.gather(*(servers.of(name).healthy() for name in pids))
    return addresses.model_copy(update={"pids": pids}) if all(healthy) else None


async def down(home: Path) -> list[str]:
    """Stop all that runs in this home, gracefully, whoever started it; returns what was stopped, by name."""
    layout = Home(home)
    if not layout.folder.exists():
        return []
    async with locked(layout.lock):
        layout.stack.unlink(missing_ok=True)  # a supervisor reads this as its end
        servers = Servers(layout)
        there = servers.pids()
        await servers.stop()
        return list(there)
