"""A whole system to measure on: durable servers as `perdure up` starts them, a worker, a model that answers at once.

The baseline's worker runs in the same process and asks the same Temporal server, and is made with the same options.
"""

import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

import worker as composition
from bench.bare import Bare, BareWait, Noted, act, ask
from bench.database import measured_database
from bench.floor import Floor
from bench.model import InstantModel, Plan
from bootstrap import Defaults, connect_temporal
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from llm.messages import ModelTerms
from settings import Settings
from stack.ports import free_port
from stack.temporal import TemporalServer
from telemetry.interceptor import Telemetry
from telemetry.lines import configure_logging
from tools.tool import tool
from tools.workbench import Workbench

SYSTEM = "You look things up, one after the other, and say what you found."
NO_LIMITS = {"turns": None, "tool_calls": None, "tokens": None}
RESULT = 1000
"""Characters of a tool's result."""


@tool(effect="read_only", title="look_up {topic}")
async def look_up(topic: str) -> str:
    """Look a topic up."""
    return _page(topic)


@tool(effect="read_only", quick=True, title="glance {topic}")
async def glance(topic: str) -> str:
    """Look at a topic for a moment."""
    return _page(topic)


@tool(effect="unsafe", approval="always", title="publish {topic}")
async def publish(topic: str) -> str:
    """Publish a topic, once somebody has allowed it."""
    return _page(topic)


@tool(effect="read_only", title="read_chapter {topic}")
async def read_chapter(topic: str) -> str:
    """Read eight thousand characters about a topic."""
    return _page(topic) * 8


def _page(topic: str) -> str:
    return (f"{topic}: all is well there. " * RESULT)[:RESULT]


@dataclass(frozen=True, slots=True)
class System:
    """What a measurement has in its hands."""

    client: Client
    log: PostgresEventLog
    queue: str
    bare_queue: str

    async def start(self, thread: str, plan: Plan, **terms: Any) -> WorkflowHandle[Any, Any]:
        """Start a thread that follows the plan."""
        start = {"message": plan.message, "limits": NO_LIMITS, "tools": [plan.tool], **terms}
        return await self.client.start_workflow("Agent", start, id=thread, task_queue=self.queue)

    async def start_bare(self, name: str, activities: int) -> WorkflowHandle[Any, Any]:
        """Start the baseline."""
        return await self.client.start_workflow(Bare.run, activities, id=name, task_queue=self.bare_queue)

    async def start_floor(self, name: str, activities: int, *, quick: bool) -> WorkflowHandle[Any, Any]:
        """Start the floor of a thread with as many activities."""
        given = [activities, quick]
        return await self.client.start_workflow(Noted.run, args=given, id=name, task_queue=self.bare_queue)

    async def finish(self, handle: WorkflowHandle[Any, Any], events: int) -> None:
        """Wait for a thread's good end, and see that all its events are there. Raises `AssertionError`."""
        outcome = await handle.result()
        version = await self.log.version(stream_of(ThreadId(handle.id)))
        if outcome["status"] != "completed" or version + 1 != events:
            raise AssertionError(f"{handle.id} ended as {outcome} with {version + 1} events, not {events}")


def events_of(turns: int) -> int:
    """The events of a thread of so many turns with one tool call each: its beginning, turns, the answer, its end."""
    return 2 + 4 * turns + 2 + 1


@asynccontextmanager
async def measured_temporal(folder: Path) -> AsyncIterator[str]:
    """The address of a Temporal server that keeps its state in the folder, for the block's duration."""
    server = TemporalServer(
        folder / "temporal.db", port=free_port(), ui_port=None, record=folder / "pid", log=folder / "log"
    )
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()


@asynccontextmanager
async def measured_system() -> AsyncIterator[System]:
    """The whole, on servers of its own, for the block's duration."""
    async with AsyncExitStack() as exits:
        folder = Path(
            exits.enter_context(tempfile.TemporaryDirectory(prefix="perdure-bench-", ignore_cleanup_errors=True))
        )
        address = await exits.enter_async_context(measured_temporal(folder))
        database = await exits.enter_async_context(measured_database())
        exits.enter_context(logging_into(folder))
        yield await exits.enter_async_context(system(address, database, folder))


@contextmanager
def logging_into(folder: Path) -> Iterator[None]:
    """Log lines go into a file, as a service's go to its log: they are a part of what a step costs."""
    with (folder / "worker.log").open("w", encoding="utf-8") as stream:
        configure_logging(Settings(log_format="json"), stream)
        try:
            yield
        finally:
            logging.basicConfig(handlers=[logging.NullHandler()], force=True)


@asynccontextmanager
async def system(address: str, database: str, folder: Path) -> AsyncIterator[System]:
    """Both workers on these servers, for the block's duration."""
    settings = Settings(workspace=folder, task_queue=f"b-{uuid4().hex[:5]}", graceful_shutdown_seconds=5)
    async with AsyncExitStack() as exits:
        log = await exits.enter_async_context(PostgresEventLog.connect(database))
        await exits.enter_async_context(await _worker(settings, address, log))
        plain = await Client.connect(address)
        floor = await exits.enter_async_context(Floor.on(database))
        bare = await exits.enter_async_context(_bare_worker(plain, settings, floor))
        yield System(plain, log, settings.task_queue, bare.task_queue)


async def _worker(settings: Settings, address: str, log: PostgresEventLog) -> Worker:
    client = await connect_temporal(settings, address, interceptors=[Telemetry(settings, None)])
    toolbox = Workbench([look_up, glance, publish, read_chapter], settings.workspace)
    defaults = Defaults(ModelTerms(name="instant-1"), SYSTEM)
    return composition.build(client, settings, log=log, model=InstantModel(), toolbox=toolbox, defaults=defaults)


def _bare_worker(client: Client, settings: Settings, floor: Floor) -> Worker:
    return Worker(
        client,
        task_queue=f"{settings.task_queue}-bare",
        workflows=[Bare, BareWait, Noted],
        activities=[ask, act, floor.ask_noted, floor.act_noted],
        max_concurrent_activities=settings.max_concurrent_activities,
        sticky_queue_schedule_to_start_timeout=composition.STICKY,
        max_workflow_task_external_storage_concurrency=composition.ONE_BY_ONE,
    )
