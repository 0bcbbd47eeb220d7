"""All that the demo needs around it: the system, its own workers, a thread; and that nothing of it stays behind."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from bootstrap import connect_temporal, open_log
from cli.connection import places
from cli.errors import ClientError
from cli.keeper import WorkerKeeper
from cli.system import options_of
from cli.threads import Threads
from eventlog.log import EventLog
from settings import Settings, variable_of
from stack.addresses import Addresses
from stack.stack import down, running
from stack.stack import up as bring_up

GRACE = 2.0
"""Seconds a worker that has nothing to do may take to end."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class System:
    """The system the demo runs on."""

    addresses: Addresses
    attached: bool
    """Whether it ran before, and so goes on afterwards."""


@dataclass(frozen=True, slots=True)
class Connections:
    """The ways to the system."""

    address: str
    client: Client
    log: EventLog
    threads: Threads


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the block once, in order; a second signal does not disturb that."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked = False

    def end() -> None:
        nonlocal asked
        if not asked and task is not None:
            task.cancel()
        asked = True

    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def system(settings: Settings) -> AsyncIterator[System]:
    """The system: attached to where it runs, else started, and then stopped at the end."""
    attached = await running(settings.home) is not None
    stack = await bring_up(options_of(settings))
    try:
        yield System(stack.addresses, attached)
    finally:
        if not attached:
            await down(settings.home)


@asynccontextmanager
async def connections(settings: Settings) -> AsyncIterator[Connections]:
    """Clients of Temporal and of the log."""
    where = await places(settings)
    client = await connect_temporal(settings, where.temporal)
    async with open_log(settings, where.database) as log:
        yield Connections(where.temporal, client, log, Threads(client, log, settings))


class Crew:
    """The demo's workers, one after another: on a task queue of their own, so that no other takes a step from them."""

    def __init__(self, config: Path | None, settings: Settings) -> None:
        self._config = config
        self._settings = settings.model_copy(update={"graceful_shutdown_seconds": GRACE})
        self._worker: WorkerKeeper | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.log = settings.home / "logs" / "demo-worker.log"

    @asynccontextmanager
    async def on_stage(self) -> AsyncIterator["Crew"]:
        """Whoever works is told to end when the block does."""
        try:
            yield self
        finally:
            await self._let_go()
            if self._worker is not None:
                await self._worker.stop()

    @property
    def pid(self) -> int:
        """The process of the worker that works now."""
        return (self._worker.pid if self._worker is not None else None) or 0

    async def hire(self) -> None:
        """Start a worker, which is started again should it die by itself."""
        settings = self._settings
        fields = ("task_queue", "workspace", "graceful_shutdown_seconds")
        environment = {variable_of(field): str(getattr(settings, field)) for field in fields}
        self._worker = WorkerKeeper(self._config, settings, name=self.log.stem, environment=environment)
        await self._worker.start()
        self._keeping = asyncio.create_task(self._worker.keep())

    async def kill(self) -> int | None:
        """Kill the worker with SIGKILL; its exit code."""
        await self._let_go()
        return await self._worker.kill() if self._worker is not None else None

    async def _let_go(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError, ClientError):
                await self._keeping
