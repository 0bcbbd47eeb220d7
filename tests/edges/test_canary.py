"""A secret is in none of the four stores, after a thread in which a tool has spilled it in every way it could."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import psycopg
from psycopg import sql
from temporalio.client import Client, WorkflowHandle

from eventlog.events import SessionStarted, ToolExecutionCompleted, ToolExecutionFailed
from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import ThreadId, stream_of
from eventlog.terms import Capabilities
from stack.scripted.answers import Reply
from stack.scripted.playbook import Playbook
from stack.scripted.server import ScriptedServer
from tests.conftest import Database
from tests.edges.leaking import Way
from tests.packaging.checkout import ROOT
from workflows.payloads import data_converter

CANARY = "canary-9c41/f+d2 é"
OTHER = "another-canary-77aa"
STRUCK = b"[secret CANARY]"
PATIENCE = 60.0
WAYS: tuple[str, ...] = get_args(Way)


def traces(value: str) -> set[bytes]:
    """What gives the value away: its plain and its encoded forms, each also as a dump of bytes shows it."""
    data = value.encode()
    forms = {data, quote(value, safe="").encode(), data.hex().encode(), json.dumps(value)[1:-1].encode()}
    forms |= {base64.b64encode(bytes(before) + data)[4:-4] for before in range(3)}
    return forms | {form.hex().encode() for form in forms}


def assert_clean(store: bytes) -> None:
    """No trace of either secret is there, and what stands in the place of one is: so the store is the right one."""
    assert STRUCK in store or STRUCK.hex().encode() in store
    found = [trace for value in (CANARY, OTHER) for trace in traces(value) if trace in store]
    assert found == []


@asynccontextmanager
async def worker(log: Path, **variables: str) -> AsyncIterator[None]:
    """A worker as an operator starts it, with what it says in a file."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "client.py",
            "worker",
            env={**inherited, **variables, "PYTHONPATH": str(ROOT)},
            cwd=log.parent,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=told,
        )
        try:
            yield
            process.terminate()
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def beats(handle: "WorkflowHandle[object, object]") -> bytes:
    """What Temporal holds of the call that beats, as soon as it has beaten."""
    async with asyncio.timeout(PATIENCE):
        while True:
            described = (await handle.describe()).raw_description
            if any(each.heartbeat_details.payloads for each in described.pending_activities):
                return described.SerializeToString()
            await asyncio.sleep(0.05)


async def dump(database: Database) -> bytes:
    """Every row of every table, snapshots and artifacts included."""
    async with await psycopg.AsyncConnection.connect(database.admin_url) as connection:
        tables = await connection.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        )
        rows = []
        for schema, name in await tables.fetchall():
            every = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, name))
            rows += [row[0] for row in await (await connection.execute(every)).fetchall()]
    return "\n".join(rows).encode()


async def recorded(database: Database, thread: str) -> list[Recorded]:
    """The thread's stream, with large content fetched."""
    async with PostgresEventLog.connect(database.url) as log:
        return [each async for each in log.read(stream_of(ThreadId(thread)))]


async def test_a_spilled_secret_is_in_no_store(temporal_server: str, database: Database, tmp_path: Path) -> None:
    """Neither Message DB, Temporal, log lines nor spans hold it in any usual form; each says that it was struck out."""
    calls = [("leak", {"way": way}, f"toolu_{number}") for number, way in enumerate(WAYS)]
    again = ("leak", {"way": "return"}, "toolu_again")
    script = {"spill": [Reply.tools(*calls), Reply.tools(again), Reply.text("All is spilt.")]}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "CANARY").write_text(f"{CANARY}\n")
    log = tmp_path / "log"
    async with ScriptedServer(Playbook(script)) as model:
        variables = {
            "TEMPORAL_ADDRESS": temporal_server,
            "DATABASE_URL": database.url,
            "PERDURE_SCRIPTED_MODEL_URL": model.url,
            "PERDURE_TASK_QUEUE": f"canary-{tmp_path.name}",
            "PERDURE_WORKSPACE": str(tmp_path),
            "PERDURE_PLUGINS": "tests.edges.leaking",
            "PERDURE_SECRETS_DIR": str(tmp_path / "secrets"),
            "PERDURE_SECRET_OTHER_CANARY": OTHER,
            "PERDURE_SNAPSHOT_EVERY": "1",
            "PERDURE_LOG_FORMAT": "json",
            "PERDURE_LOG_LEVEL": "debug",
            "PERDURE_TRACES": "console",
            "PERDURE_CAPTURE_CONTENT": "true",
        }
        async with worker(log, **variables):
            client = await Client.connect(temporal_server, data_converter=data_converter)
            handle = await client.start_workflow(
                "Agent", {"message": "spill"}, id=f"canary-{tmp_path.name}", task_queue=variables["PERDURE_TASK_QUEUE"]
            )
            beaten = await beats(handle)
            (tmp_path / "seen").touch()
            await asyncio.wait_for(handle.result(), PATIENCE)
            history = b"".join(event.SerializeToString() for event in (await handle.fetch_history()).events)
    events = [each.event for each in await recorded(database, handle.id)]
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    spans = [line for line in lines if "context" in line]

    done = {each.call_id for each in events if isinstance(each, ToolExecutionCompleted)}
    failed = {each.call_id: each for each in events if isinstance(each, ToolExecutionFailed) and not each.will_retry}
    assert len(done) + len(failed) == len(WAYS) + 1
    assert set(failed) == {f"toolu_{WAYS.index(way)}" for way in ("raise", "raise and retry", "not its own")}
    assert any(each.type == "UnknownEvent" for each in events)
    started = next(each for each in events if isinstance(each, SessionStarted))
    (needs,) = [terms.capabilities for terms in started.tools if terms.name == "leak"]
    assert needs == Capabilities(secrets=("CANARY",))
    assert b"capabilities" not in history
    assert_clean(beaten)
    assert_clean(history)
    assert_clean(await dump(database))
    assert_clean("\n".join(str(event.model_dump()) for event in events).encode())
    assert_clean(json.dumps([line for line in lines if "context" not in line]).encode())
    assert_clean(json.dumps(spans).encode())
    assert_clean(log.read_bytes())
    assert any(line.get("event") == "no_secret" for line in lines)
