"""What tools have recorded outlives their worker, and is recorded once by whoever takes over."""

import asyncio
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client

from eventlog.events import UnknownEvent
from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from stack.scripted.answers import Reply
from stack.scripted.playbook import Playbook
from stack.scripted.server import ScriptedServer
from tests.acceptance.scribe import Began, Ended
from tests.acceptance.worker_process import PATIENCE, WorkerProcess
from tests.conftest import Database

TOOLS = ("look", "put", "fire", "book")
CALLS = Reply.tools(*((name, {}, f"{name}-1") for name in TOOLS))


async def test_what_was_recorded_survives_the_worker_and_is_not_recorded_again(
    temporal_server: str, database: Database, tmp_path: Path
) -> None:
    """For a tool of each kind: the first process's word stands, the next adds what is missing, nothing is doubled."""
    async with (
        ScriptedServer(Playbook({"go": [CALLS, Reply.text("done")]})) as model,
        PostgresEventLog.connect(database.url) as log,
    ):
        settings = {
            "TEMPORAL_ADDRESS": temporal_server,
            "DATABASE_URL": database.url,
            "ANTHROPIC_BASE_URL": model.url,
            "PERDURE_HOME": str(tmp_path / "home"),
            "PERDURE_TASK_QUEUE": f"recording-{uuid4()}",
            "PERDURE_WORKSPACE": str(tmp_path),
            "PERDURE_PLUGINS": "tests.acceptance.scribe",
            "PERDURE_MODEL": "scripted-1",
        }
        client = await Client.connect(temporal_server)
        thread, queue = f"go-{uuid4()}", settings["PERDURE_TASK_QUEUE"]
        handle = await client.start_workflow("Agent", "go", id=thread, task_queue=queue)
        first = await WorkerProcess.start(settings, tmp_path, tmp_path / "first.log")
        try:
            async with asyncio.timeout(PATIENCE):
                while len(await recorded(log, thread)) < len(TOOLS):
                    await asyncio.sleep(0.05)
        finally:
            await first.kill()
        second = await WorkerProcess.start(settings, tmp_path, tmp_path / "second.log")
        try:
            await asyncio.wait_for(handle.result(), PATIENCE)
        finally:
            await second.kill()
        found = await recorded(log, thread)
    began = {each.tool: each.pid for each in map(Began.read, found) if each}
    ended = sorted(each.tool for each in map(Ended.read, found) if each)
    assert began == dict.fromkeys(TOOLS, first.pid)
    assert ended == ["book", "look", "put"]
    assert len(found) == len(TOOLS) + 3


async def recorded(log: PostgresEventLog, thread: str) -> list[Recorded]:
    """The plugin's events in the thread's stream."""
    return [each async for each in log.read(stream_of(ThreadId(thread))) if isinstance(each.event, UnknownEvent)]
