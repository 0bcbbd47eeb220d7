"""The embedded system as one thing: up, attached to, watched over, down.

Its whole memory is one folder. Whoever comes second finds what runs and attaches; of two who come at once, a lock
decides; what a dead one left running is found again by its process records.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stack.errors import PortTaken, ServerDied, StackError
from stack.files import write_private
from stack.home import Home, cache_folder, default_home
from stack.lock import locked
from stack.messagedb import create_database, install
from stack.model import ScriptedModelServer
from stack.ports import Ports, is_free
from stack.postgres import ADMIN, DATABASE, EmbeddedPostgres
from stack.server import Server
from stack.temporal import TemporalServer

logger = structlog.get_logger()

START_ATTEMPTS = 3
"""Each on other ports, when the ones before are taken."""
WATCH_INTERVAL = 0.5
"""Seconds between two looks at whether everything runs."""
RESTARTS = 5
RESTART_WINDOW = 60.0
"""A server that crashes more than `RESTARTS` times in so many seconds is not started again."""


class Options(BaseModel):
    """What the system shall consist of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home)
    cache: Path = Field(default_factory=cache_folder)
    temporal_address: str | None = None
    """A Temporal server from outside; then none is started."""
    database_url: str | None = None
    """A PostgreSQL with Message DB from outside; then none is started."""
    scripted_model: bool = True


class Addresses(BaseModel):
    """Where everything is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    temporal: str
    temporal_ui: str | None
    database: str
    """Connects as the restricted role; its password stands in a file that it names."""
    model: str | None
    """The scripted model's base URL."""
    pids: dict[str, int]
    """The processes that were started here, by name."""


class Servers:
    """The servers that a home has, on the ports they were given."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._ports = Ports(home.ports)

    def postgres(self) -> EmbeddedPostgres:
        """PostgreSQL with Message DB."""
        return EmbeddedPostgres(
            self._home.postgres,
            port=self._ports.get("postgres"),
            record=self._home.record("postgres"),
            log=self._home.log("postgres"),
        )

    def temporal(self) -> TemporalServer:
        """Temporal with its web UI."""
        return TemporalServer(
            self._home.temporal,
            port=self._ports.get("temporal"),
            ui_port=self._ports.get("temporal_ui"),
            record=self._home.record("temporal"),
            log=self._home.log("temporal"),
        )

    def model(self) -> ScriptedModelServer:
        """The scripted model."""
        return ScriptedModelServer(
            port=self._ports.get("model"), record=self._home.record("model"), log=self._home.log("model")
        )

    def by_name(self) -> Mapping[str, Callable[[], Server]]:
        """All of them, those first that depend on others."""
        return {"model": self.model, "temporal": self.temporal, "postgres": self.postgres}

    async def start(self, name: str) -> None:
        """Start one on its port; on another one when that is taken, or wait until it is ready if it runs."""
        for attempt in range(1, START_ATTEMPTS + 1):
            server = self.by_name()[name]()
            try:
                return await server.start()
            except (PortTaken, ServerDied):
                await server.stop()
                taken = [port for port in server.ports if not is_free(port)]
                if not taken or attempt == START_ATTEMPTS:
                    raise
                logger.warning("ports_taken", server=name, ports=taken)
                for port in taken:
                    self._ports.replace(port)
        return None


class Stack:
    """The running system."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._home = Home(options.home)
        self._servers = Servers(self._home)
        self._restarts: defaultdict[str, deque[float]] = defaultdict(deque)

    @property
    def addresses(self) -> Addresses:
        """Where everything is."""
        options, temporal = self._options, self._servers.temporal()
        return Addresses(
            temporal=options.temporal_address or temporal.address,
            temporal_ui=None if options.temporal_address else temporal.ui,
            database=options.database_url or self._servers.postgres().url(),
            model=self._servers.model().base_url if options.scripted_model else None,
            pids=self._pids(),
        )

    def _wanted(self) -> list[str]:
        from_outside = {
            "postgres": self._options.database_url is not None,
            "temporal": self._options.temporal_address is not None,
            "model": not self._options.scripted_model,
        }
        return [name for name, outside in from_outside.items() if not outside]

    def _pids(self) -> dict[str, int]:
        servers = self._servers.by_name()
        pids = {name: servers[name]().process.pid for name in self._wanted()}
        return {name: pid for name, pid in pids.items() if pid}

    async def _up(self) -> None:
        """Start what is missing; leave nothing behind that was started in vain."""
        there = self._pids()
        try:
            await _all([self._start(name) for name in self._wanted()])
            write_private(self._home.stack, self.addresses.model_dump_json(indent=2))
        except BaseException:
            await self._stop([name for name in self._pids() if name not in there])
            raise

    async def _start(self, name: str) -> None:
        await self._servers.start(name)
        if name == "postgres":
            await self._install()

    async def _install(self) -> None:
        postgres = self._servers.postgres()
        await create_database(postgres.admin_url, DATABASE)
        await install(postgres.url(ADMIN), self._options.cache, postgres.writer_password)

    async def _stop(self, names: list[str]) -> None:
        for name, server in self._servers.by_name().items():
            if name in names:
                await server().stop()

    async def supervise(self) -> None:
        """Start again what crashes, on its port and with its data, until the system is taken down.

        Raises `ServerDied` when a server keeps crashing.
        """
        while self._home.stack.exists():
            if len(self._pids()) < len(self._wanted()):
                async with locked(self._home.lock):
                    await self._restart_crashed()
            await asyncio.sleep(WATCH_INTERVAL)

    async def _restart_crashed(self) -> None:
        if not self._home.stack.exists():
            return
        for name in [name for name in self._wanted() if name not in self._pids()]:
            server = self._servers.by_name()[name]()
            self._count_restart(name, server)
            logger.warning("server_crashed", server=name, ports=server.ports)
            try:
                await server.start()
            except StackError as error:
                logger.warning("server_not_restarted", server=name, problem=error.problem)
                continue
            logger.info("server_restarted", server=name, ports=server.ports)
        write_private(self._home.stack, self.addresses.model_dump_json(indent=2))

    def _count_restart(self, name: str, server: Server) -> None:
        times, now = self._restarts[name], time.monotonic()
        while times and times[0] < now - RESTART_WINDOW:
            times.popleft()
        if len(times) >= RESTARTS:
            raise ServerDied.of(server.process, f"crashed {RESTARTS + 1} times in {RESTART_WINDOW:.0f} seconds")
        times.append(now)


async def up(options: Options) -> Stack:
    """Start what is missing of the system and wait until all of it is ready. Raises `StackError`."""
    home = Home(options.home)
    home.make()
    stack = Stack(options)
    async with locked(home.lock):
        await stack._up()
    return stack
