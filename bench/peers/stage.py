"""The servers all ways share, the processes that do the work on them, and what is left behind there."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle

from bench.database import measured_database
from bench.peers.ways import ROOT, Way
from bench.peers.work import Note, Work
from bench.system import measured_temporal

OURS = ("PERDURE_", "TEMPORAL_", "ANTHROPIC_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_", "DATABASE_URL", "OTEL_", "PG")
SILENT = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false"}
"""Nobody sends traces to a service on the network."""
OTHERS_DATABASE = "checkpoints"
SIZE_OF_TABLES = """
    select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class where relkind = 'r' and oid >= 16384
"""
"""With their indexes and what is stored beside them; those of PostgreSQL itself left out."""
LOOK_EVERY = 0.05
"""Seconds between two looks at a process that works."""
STALLED = 30.0
"""Seconds without a call of model or tool after which a thread is taken for stuck."""

End = Literal["ended", "failed", "stuck", "slow"]
"""How waiting for a thread ended: with its answer, without one, with silence, or when its time was over."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a thread left behind, in bytes."""

    history: int
    """In Temporal's histories, all runs of the thread together."""
    events: int
    """In those histories."""
    runs: int
    database: int
    """What PostgreSQL's tables and indexes grew by."""
    files: int
    """Payloads outside of both."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.history + self.database + self.files


class Process:
    """One process that does the work."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The last line it wrote."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    async def kill(self) -> None:
        """End it at once, without a chance to do anything."""
        if self.running:
            self._process.kill()
        await self._process.wait()


@dataclass(frozen=True, slots=True)
class Stage:
    """The servers, and a folder."""

    temporal: str
    database: str
    """Perdure's, as the superuser."""
    checkpoints: str
    """LangGraph's, on the same server."""
    folder: Path

    def work(self, way: Way, thread: str, turns: int, size: int) -> Work:
        """A thread to be done this way."""
        folder = self.folder / f"{way.module}-{thread}"
        (folder / "payloads").mkdir(parents=True, exist_ok=True)
        return Work(
            thread=f"{way.module.replace('_', '-')}-{thread}",
            turns=turns,
            size=size,
            notes=str(folder / "notes"),
            temporal=self.temporal,
            database=self._database_of(way),
            folder=str(folder / "payloads"),
        )

    def _database_of(self, way: Way) -> str:
        return self.database if way.ours else self.checkpoints

    async def grown(self, way: Way) -> int:
        """The bytes of all the tables and indexes that this way writes to, as they are now."""
        if not way.on_postgres:
            return 0
        async with await AsyncConnection.connect(self._database_of(way), autocommit=True) as connection:
            row = await (await connection.execute(SIZE_OF_TABLES)).fetchone()
        return int(row[0]) if row else 0


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Durable servers, as `perdure up` starts them, for the block's duration."""
    async with AsyncExitStack() as exits:
        folder = Path(
            exits.enter_context(tempfile.TemporaryDirectory(prefix="perdure-peers-", ignore_cleanup_errors=True))
        )
        temporal = await exits.enter_async_context(measured_temporal(folder))
        database = await exits.enter_async_context(measured_database())
        async with await AsyncConnection.connect(database, autocommit=True) as connection:
            await connection.execute(sql.SQL("create database {}").format(sql.Identifier(OTHERS_DATABASE)))
        yield Stage(temporal, database, make_conninfo(database, dbname=OTHERS_DATABASE), folder)


async def begin(way: Way, work: Work) -> Process:
    """A process that begins the thread, or goes on with it."""
    log = Path(work.notes).with_name("log")
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            str(way.python),
            "-m",
            "bench.peers.work",
            way.module,
            env=_environment(work.environment()),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Process(process, log)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | SILENT | dict(more)


def notes_of(work: Work) -> list[Note]:
    """What was noted so far, in order."""
    file = Path(work.notes)
    return [Note(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


async def finish(process: Process, work: Work, at_most: float, stalled: float = STALLED) -> End:
    """Wait for the thread's end, and end the process.

    A good end is taken from the notes, not from the exit code: an interpreter may stumble while it is torn down.
    """
    try:
        return await _watch(process, work, at_most, stalled)
    finally:
        await process.kill()


async def _watch(process: Process, work: Work, at_most: float, stalled: float) -> End:
    began = time.time()
    while process.running:
        await asyncio.sleep(LOOK_EVERY)
        if time.time() - max(_last_note(work), began) > stalled:
            return "stuck"
        if time.time() - began > at_most:
            return "slow"
    return "ended" if any(note.what == "ended" for note in notes_of(work)) else "failed"


def _last_note(work: Work) -> float:
    file = Path(work.notes)
    return file.stat().st_mtime if file.exists() else 0.0


# -- what is left in Temporal ------------------------------------------------------------------------


async def kept(stage: Stage, way: Way, work: Work, database_before: int) -> Kept:
    """What a thread left behind, once it has ended or is stuck."""
    sizes = await _histories(stage, work.thread) if way.on_temporal else []
    return Kept(
        history=sum(size for size, _ in sizes),
        events=sum(events for _, events in sizes),
        runs=len(sizes),
        database=await stage.grown(way) - database_before,
        files=_size(Path(work.folder)),
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def _histories(stage: Stage, thread: str) -> list[tuple[int, int]]:
    """Bytes and events of each run, last one first."""
    client, sizes = await Client.connect(stage.temporal), []
    handle: WorkflowHandle[Any, Any] | None = client.get_workflow_handle(thread)
    while handle is not None:
        info = (await handle.describe()).raw_description.workflow_execution_info
        sizes.append((info.history_size_bytes, info.history_length))
        handle = await _run_before(client, handle)
    return sizes


async def _run_before(client: Client, handle: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any] | None:
    first = await anext(aiter(handle.fetch_history_events(page_size=1)))
    before = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return client.get_workflow_handle(handle.id, run_id=before) if before else None


async def why_stuck(stage: Stage, way: Way, work: Work, process: Process) -> str:
    """What Temporal says of a thread that did not end, else the last words of its process."""
    if not way.on_temporal:
        return process.last_words
    handle = (await Client.connect(stage.temporal)).get_workflow_handle(work.thread)
    problems = [problem async for event in handle.fetch_history_events() if (problem := _problem(event))]
    return problems[-1] if problems else process.last_words


def _problem(event: HistoryEvent) -> str:
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return event.workflow_task_failed_event_attributes.failure.message
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            return event.workflow_execution_failed_event_attributes.failure.message
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            return event.workflow_execution_terminated_event_attributes.reason
        case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
            return event.activity_task_failed_event_attributes.failure.message
        case _:
            return ""


async def end(stage: Stage, way: Way, work: Work) -> None:
    """Terminate a thread that did not end, so that it troubles nobody after it."""
    if way.on_temporal:
        handle = (await Client.connect(stage.temporal)).get_workflow_handle(work.thread)
        if (await handle.describe()).close_time is None:
            await handle.terminate("measured")
