"""The servers that a home has, each on the ports it was given."""

import asyncio
from collections.abc import Iterable

import structlog

from stack.errors import PortTaken, ServerDied
from stack.home import Home
from stack.model import ScriptedModelServer
from stack.ports import Ports, is_free
from stack.postgres import EmbeddedPostgres
from stack.process import ServerProcess
from stack.server import Server
from stack.temporal import TemporalServer

NAMES = ("postgres", "temporal", "model")
ATTEMPTS = 3
"""Each on other ports, when the ones before are taken."""

logger = structlog.get_logger()


class Servers:
    """The servers that a home has."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._ports = Ports(home.ports)

    def postgres(self) -> EmbeddedPostgres:
        """PostgreSQL with Message DB."""
        record, log = self._home.record("postgres"), self._home.log("postgres")
        return EmbeddedPostgres(self._home.postgres, port=self._ports.get("postgres"), record=record, log=log)

    def temporal(self) -> TemporalServer:
        """Temporal with its web UI."""
        record, log = self._home.record("temporal"), self._home.log("temporal")
        port, ui_port = self._ports.get("temporal"), self._ports.get("temporal_ui")
        return TemporalServer(self._home.temporal, port=port, ui_port=ui_port, record=record, log=log)

    def model(self) -> ScriptedModelServer:
        """The scripted model."""
        record, log = self._home.record("model"), self._home.log("model")
        return ScriptedModelServer(port=self._ports.get("model"), record=record, log=log)

    def of(self, name: str) -> Server:
        """The server of that name."""
        match name:
            case "postgres":
                return self.postgres()
            case "temporal":
                return self.temporal()
            case "model":
                return self.model()
        raise KeyError(name)

    def process(self, name: str) -> ServerProcess:
        """The process of that name, wherever it listens."""
        return ServerProcess(name, self._home.record(name), self._home.log(name))

    def pids(self, names: Iterable[str] = NAMES) -> dict[str, int]:
        """The processes of those that run."""
        pids = {name: self.process(name).pid for name in names}
        return {name: pid for name, pid in pids.items() if pid}

    async def start(self, name: str) -> None:
        """Start one, on other ports when its own are taken; if it runs, wait until it is ready."""
        for attempt in range(1, ATTEMPTS + 1):
            server = self.of(name)
            try:
                return await server.start()
            except (PortTaken, ServerDied):
                await server.stop()
                if attempt == ATTEMPTS or not self._move(name, server):
                    raise
        return None

    def _move(self, name: str, server: Server) -> bool:
        """Choose other ports for those that another program has taken; whether there were any."""
        taken = [port for port in server.ports if not is_free(port)]
        for port in taken:
            self._ports.replace(port)
        if taken:
            logger.warning("ports_taken", server=name, ports=taken)
        return bool(taken)

    async def stop(self, names: Iterable[str] = NAMES) -> None:
        """Stop those that run, gracefully, all at once: none of them needs another."""
        await asyncio.gather(*(self.of(name).stop() for name in self.pids(names)))
