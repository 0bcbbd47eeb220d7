"""A world of its own for each test: one worker, one log, one scripted model, on a real Temporal server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, Worker

import worker as composition
from bootstrap import Defaults, open_admission, open_book
from eventlog.events import AnyEvent
from eventlog.log import EventLog, Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client
from llm.messages import ModelTerms
from projections.evolution import SESSION
from projections.fold import fold
from projections.invariants.catalogue import CONTENTS, INVARIANTS, breaches
from projections.session import Session
from settings import Settings
from stack.scripted.playbook import Playbook, Step
from stack.scripted.server import ScriptedServer
from tools.plugins import load_tools
from tools.tool import Tool
from tools.workbench import Source, Workbench
from workflows.agent import AgentWorkflow
from workflows.payloads import data_converter

PATIENCE = 45.0
"""Seconds after which a test gives up waiting; nothing is measured by it."""


@dataclass
class World:
    """What a test has in its hands."""

    client: Client
    log: EventLog
    model: ScriptedServer
    queue: str
    worker: Worker
    settings: Settings
    handles: list[WorkflowHandle[Any, Any]] = field(default_factory=list)

    async def start(self, message: str, **terms: Any) -> WorkflowHandle[Any, Any]:
        """Start a thread, as any Temporal client would: with plain JSON."""
        thread = terms.pop("thread", None) or f"t-{uuid4()}"
        handle = await self.client.start_workflow(
            "Agent", {"message": message, **terms}, id=thread, task_queue=self.queue
        )
        self.handles.append(handle)
        return handle

    async def recorded(self, thread: str) -> list[Recorded]:
        """The thread's stream."""
        return [each async for each in self.log.read(stream_of(ThreadId(thread)))]

    async def events(self, thread: str) -> list[AnyEvent]:
        """What happened, in order."""
        return [each.event for each in await self.recorded(thread)]

    async def types(self, thread: str) -> list[str]:
        """What happened, by name."""
        return [event.type for event in await self.events(thread)]

    async def session(self, thread: str) -> Session:
        """Where the thread stands by its stream."""
        return fold(SESSION, await self.recorded(thread))

    async def until(self, thread: str, reached: Callable[[Session], bool]) -> Session:
        """The session, as soon as it is so."""
        async with asyncio.timeout(PATIENCE):
            while not reached(session := await self.session(thread)):
                await asyncio.sleep(0.02)
        return session

    async def check(self) -> None:
        """What holds of every thread, whatever the test was about: its history replays, its stream is legal."""
        replayer = Replayer(
            workflows=[AgentWorkflow], data_converter=data_converter, workflow_runner=composition.sandbox()
        )
        for handle in self.handles:
            await replayer.replay_workflow(await handle.fetch_history())
            recorded = await self.recorded(handle.id)
            assert not list(breaches(recorded, (*INVARIANTS, *CONTENTS)))
            session = fold(SESSION, recorded)
            if session.completed is None or session.completed == "terminated":
                continue
            state = await handle.query("state")
            assert (state["status"], state["turns"], state["tool_calls"], state["tokens"], state["pending"]) == (
                session.status,
                session.turns,
                session.tool_calls,
                session.tokens,
                0,
            )

    async def done(self, handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
        """The thread's outcome, when it has ended."""
        outcome: dict[str, Any] = await asyncio.wait_for(handle.result(), PATIENCE)
        return outcome


@asynccontextmanager
async def world(
    address: str,
    log_at: str | EventLog,
    workspace: Path,
    conversations: dict[str, Sequence[Step]],
    tools: Sequence[Tool] = (),
    vocabulary: Vocabulary = NO_EVENTS,
    source: Source | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A world in which these conversations are played."""
    queue = f"q-{uuid4()}"
    chosen = Settings(task_queue=queue, workspace=workspace, graceful_shutdown_seconds=1, **settings)
    async with AsyncExitStack() as exits:
        model = await exits.enter_async_context(ScriptedServer(Playbook(conversations)))
        log = await exits.enter_async_context(PostgresEventLog.connect(log_at)) if isinstance(log_at, str) else log_at
        client = await Client.connect(address, data_converter=data_converter)
        adapter = AnthropicModel(anthropic_client(api_key="key", base_url=model.url))
        exits.push_async_callback(adapter.close)
        bench = Workbench([*load_tools([]), *tools], workspace)
        worker = composition.build(
            client,
            chosen,
            log=log,
            model=adapter,
            toolbox=bench.beside(source) if source else bench,
            defaults=Defaults(ModelTerms(name="scripted-1"), "Be brief.", chosen.fallback_models),
            vocabulary=vocabulary,
            admission=await open_admission(chosen, log) if isinstance(log, PostgresEventLog) else None,
            book=await open_book(chosen, log) if isinstance(log, PostgresEventLog) else None,
        )
        await exits.enter_async_context(worker)
        here = World(client, log, model, queue, worker, chosen)
        yield here
        await here.check()
