"""A worker as an operator starts it tells people, survives being killed, and spills nothing."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from temporalio.client import Client

from notices.receiving import verify
from stack.scripted.answers import Reply
from stack.scripted.playbook import Playbook
from stack.scripted.server import ScriptedServer
from tests.conftest import Database
from tests.edges.test_canary import dump
from tests.notices.conftest import SECRET
from tests.notices.receiver import receiving
from tests.packaging.checkout import ROOT
from workflows.payloads import data_converter

PATIENCE = 60.0
WRITE = ("write_file", {"path": "report.md", "content": "all is well\n"})
PATH = "path-that-nobody-may-know"
KEY = "key-of-the-approvals-0123456789abcdef"
POLICY = """\
default: allow
rules:
  - {id: files, decision: ask, tools: write_file, approval: {token: true}}
"""


@asynccontextmanager
async def worker(log: Path, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker, with what it says in a file; killed at the end if nobody has."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("ab") as told:
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
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_token_goes_to_the_endpoint_and_nowhere_else(
    temporal_server: str, database: Database, tmp_path: Path
) -> None:
    """Who has the notice can answer with it, on a worker that was killed meanwhile; no store and no log line could."""
    (tmp_path / "strict.yaml").write_text(POLICY)
    script = {"write": [Reply.tools(WRITE, text="I will write it."), Reply.text("It is written.")]}
    log = tmp_path / "log"
    async with ScriptedServer(Playbook(script)) as model, receiving("500 Oops", "200 OK") as receiver:
        (tmp_path / "hooks.yaml").write_text(
            "endpoints: [{name: hook, url_secret: HOOK_URL, secrets: HOOK, kinds: 'approval.*'}]"
        )
        variables = {
            "TEMPORAL_ADDRESS": temporal_server,
            "DATABASE_URL": database.url,
            "PERDURE_SCRIPTED_MODEL_URL": model.url,
            "PERDURE_TASK_QUEUE": f"notices-{tmp_path.name}",
            "PERDURE_WORKSPACE": str(tmp_path),
            "PERDURE_POLICIES": str(tmp_path),
            "PERDURE_POLICY": "strict",
            "PERDURE_APPROVAL_KEY": KEY,
            "PERDURE_WEBHOOKS": str(tmp_path / "hooks.yaml"),
            "PERDURE_SECRET_HOOK": SECRET,
            "PERDURE_SECRET_HOOK_URL": f"{receiver.url}/{PATH}",
            "PERDURE_LOG_FORMAT": "json",
            "PERDURE_LOG_LEVEL": "debug",
        }
        client = await Client.connect(temporal_server, data_converter=data_converter)
        async with worker(log, **variables) as first:
            handle = await client.start_workflow(
                "Agent", "write", id=f"notices-{tmp_path.name}", task_queue=variables["PERDURE_TASK_QUEUE"]
            )
            await receiver.until(1)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
            await connection.execute("update perdure.deliveries set due = now() where kind = 'approval.requested'")
        async with worker(log, **variables) as second:
            asked, again = (await receiver.until(2))[:2]
            said = verify(again.body, again.headers, [SECRET])
            assert asked.headers["webhook-id"] == again.headers["webhook-id"]
            token = said["data"]["token"]
            answer = {"call_id": said["data"]["call_id"], "approver": "ana", "token": token}
            await handle.execute_update("approve", answer)
            assert (await asyncio.wait_for(handle.result(), PATIENCE))["status"] == "completed"
            granted = (await receiver.until(3))[2]
            second.terminate()
            await asyncio.wait_for(second.wait(), PATIENCE)
    assert (granted.json["type"], granted.json["data"]["approver"]) == ("approval.granted", "ana")
    assert (tmp_path / "report.md").read_text() == "all is well\n"
    secret = SECRET.removeprefix("whsec_").encode()
    told, rows = log.read_bytes(), await dump(database)
    history = b"".join(event.SerializeToString() for event in (await handle.fetch_history()).events)
    assert b"notice_delivered" in told
    assert PATH in granted.target
    assert said["data"]["event_id"].encode() in rows
    for store in (told, rows):
        assert [word for word in (secret, token.encode(), KEY.encode(), PATH.encode()) if word in store] == []
    assert [word for word in (secret, KEY.encode()) if word in history] == []


async def test_a_worker_with_a_wrong_file_says_so(temporal_server: str, database: Database, tmp_path: Path) -> None:
    """Who has misspelt the file is told at the start, by line; no worker runs that would tell nobody."""
    (tmp_path / "hooks.yaml").write_text("endpoints:\n  - name: hook\n    uri: https://hooks.example/\n")
    log = tmp_path / "log"
    variables = {
        "TEMPORAL_ADDRESS": temporal_server,
        "DATABASE_URL": database.url,
        "ANTHROPIC_API_KEY": "key",
        "PERDURE_WEBHOOKS": str(tmp_path / "hooks.yaml"),
    }
    async with worker(log, **variables) as process:
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 2
    assert "hooks.yaml:3:5: there is no key 'uri' here: did you mean url?" in log.read_text()
    assert json.dumps("Traceback") not in log.read_text()
