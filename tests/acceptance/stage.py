"""Where a play takes place: real servers, a model that follows a script, and workers that may die."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from projections.evolution import SESSION
from projections.fold import fold
from projections.session import Session
from stack.scripted.playbook import Playbook, Step
from stack.scripted.received import Received
from stack.scripted.server import ScriptedServer
from tests.acceptance.bookkeeper import kept
from tests.acceptance.halting import FOLDER, Halts
from tests.acceptance.ledger import Gates, Ledger, Line, What
from tests.acceptance.servers import Servers
from tests.acceptance.temporal_cli import TemporalCli
from tests.acceptance.worker_process import PATIENCE, WorkerProcess

Handle = WorkflowHandle[Any, Any]


@dataclass
class Stage:
    """What a test has in its hands."""

    folder: Path
    servers: Servers
    client: Client
    log: PostgresEventLog
    model: ScriptedServer
    queue: str
    workers: list[WorkerProcess] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    besides: dict[str, str] = field(default_factory=dict)
    """What else its workers are told."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def ledger(self) -> Ledger:
        """What the tools did."""
        return Ledger(self.folder)

    @property
    def gates(self) -> Gates:
        """What holds the tools."""
        return Gates(self.folder)

    @property
    def cli(self) -> TemporalCli:
        """Temporal's command line."""
        return TemporalCli(self.servers.temporal.address)

    def settings(self) -> Mapping[str, str]:
        """Everything a worker of this stage is told."""
        return {
            "TEMPORAL_ADDRESS": self.servers.temporal.address,
            "DATABASE_URL": self.servers.postgres.url(),
            "ANTHROPIC_BASE_URL": self.model.url,
            "PERDURE_HOME": str(self.folder / "home"),
            "PERDURE_TASK_QUEUE": self.queue,
            "PERDURE_WORKSPACE": str(self.folder),
            "PERDURE_PLUGINS": "tests.acceptance.hands",
            "PERDURE_GRACEFUL_SHUTDOWN_SECONDS": "20",
            "PERDURE_MODEL": "scripted-1",
            "PERDURE_LOOPS": "off",  # scripted models repeat themselves on purpose
            **self.besides,
        }

    @property
    def halts(self) -> Halts:
        """What halts a worker that was hired to halt."""
        return Halts(self.folder)

    async def hire(self, *, halting: bool = False) -> WorkerProcess:
        """One more worker; where it is `halting`, threads halt in it at the points that their ids name."""
        return await (await self.engage(halting=halting)).ready()

    async def engage(self, *, halting: bool = False) -> WorkerProcess:
        """The same, but it may not have started yet."""
        log = self.folder / f"worker-{next(self._numbers)}.log"
        module, noted = ("tests.acceptance.halting", {FOLDER: str(self.folder)}) if halting else ("client", {})
        worker = await WorkerProcess.start({**self.settings(), **noted}, self.folder, log, module)
        self.workers.append(worker)
        return worker

    async def start(self, message: str, **terms: Any) -> Handle:
        """Start a thread, as any Temporal client would: with plain JSON."""
        thread = f"{message}-{uuid4()}"
        start = {"message": message, **terms}
        handle = await self.client.start_workflow("Agent", start, id=thread, task_queue=self.queue)
        self.handles.append(handle)
        return handle

    async def recorded(self, thread: str) -> list[Recorded]:
        """The thread's stream."""
        return [each async for each in self.log.read(stream_of(ThreadId(thread)))]

    async def session(self, thread: str) -> Session:
        """Where the thread stands by its stream."""
        return fold(SESSION, await self.recorded(thread))

    async def until(self, thread: str, reached: Callable[[Session], bool]) -> Session:
        """The session, as soon as it is so."""
        async with asyncio.timeout(PATIENCE):
            while not reached(session := await self.session(thread)):
                await asyncio.sleep(0.05)
        return session

    async def until_written(self, what: What, thread: str, call: str, times: int = 1) -> Line:
        """The line of the ledger, as soon as it stands there for the so-many-th time."""
        async with asyncio.timeout(PATIENCE):
            while len(lines := self.ledger.lines(what, thread, call)) < times:
                await asyncio.sleep(0.02)
        return lines[times - 1]

    async def until_asked(self, opening: str, times: int = 1) -> Received:
        """The model's so-many-th request of the conversation that begins with these words, as soon as it came."""
        async with asyncio.timeout(PATIENCE):
            while len(requests := [each for each in self.model.requests if opening_of(each) == opening]) < times:
                await asyncio.sleep(0.02)
        return requests[times - 1]

    async def until_logged(self, worker: WorkerProcess, words: str) -> None:
        """Return as soon as a worker has written these words to its log."""
        async with asyncio.timeout(PATIENCE):
            while words not in worker.log.read_text():
                await asyncio.sleep(0.02)

    async def done(self, handle: Handle) -> dict[str, Any]:
        """The thread's outcome, when it has ended; a server that is away is waited for."""
        async with asyncio.timeout(3 * PATIENCE):  # a frozen worker takes several attempts with it
            while True:
                try:
                    outcome: dict[str, Any] = await handle.result()
                except RPCError:
                    await asyncio.sleep(0.2)
                else:
                    return outcome


def opening_of(request: Received) -> str:
    """The first words of a conversation, by which the playbook knows it."""
    content = request.json["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


@asynccontextmanager
async def staged(servers: Servers, folder: Path, plays: Mapping[str, Sequence[Step]]) -> AsyncIterator[Stage]:
    """A stage on which these conversations are played; no worker outlives it."""
    await servers.start()
    async with (
        ScriptedServer(Playbook(plays)) as model,
        PostgresEventLog.connect(servers.postgres.url()) as log,
        kept(Ledger(folder)),
    ):
        client = await Client.connect(servers.temporal.address, data_converter=pydantic_data_converter)
        stage = Stage(folder, servers, client, log, model, f"acceptance-{uuid4()}")
        try:
            yield stage
        finally:
            await asyncio.gather(*(worker.kill() for worker in stage.workers))
            await servers.start()
