"""Threads in which something large is said: it is kept beside the log, and neither model nor process notices."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from eventlog.artifacts.bucket import BucketArtifacts
from eventlog.events import ToolExecutionCompleted, ToolExecutionRequested
from eventlog.postgres import PostgresEventLog
from stack.ports import LOOPBACK
from stack.scripted.answers import Reply
from tests.bucket import Bucket, bucket_server
from tests.conftest import Database
from tests.contract.proxy import Proxy
from tests.workflow.conftest import Play
from tests.workflow.world import world
from tools.tool import tool

PICTURE = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(3_700_000)
"""As large as an image may be that a model is shown; in base64 it is five million characters."""


@tool(effect="read_only", quick=True)
def look() -> bytes:
    """Look at it."""
    return PICTURE


async def test_a_large_result_is_kept_by_reference(play: Play, database: Database) -> None:
    """A picture of five megabytes, twice: the model sees both, the rows stay small, and one artifact is kept."""
    looks = [Reply.tools(("look", {}, "call_1")), Reply.tools(("look", {}, "call_2")), Reply.text("done")]
    world = await play({"go": looks}, [look])
    handle = await world.start("go")
    assert (await world.done(handle))["status"] == "completed"
    results = [event for event in await world.events(handle.id) if isinstance(event, ToolExecutionCompleted)]
    assert [len(json.dumps(result.model_dump(mode="json"))) > 4_900_000 for result in results] == [True, True]
    async with await psycopg.AsyncConnection.connect(database.admin_url) as connection:
        cursor = await connection.execute("SELECT max(length(data::text)) FROM message_store.messages")
        assert (await cursor.fetchone() or (0,))[0] < 70_000
        cursor = await connection.execute("SELECT count(*), sum(size) FROM perdure.artifacts")
        assert (await cursor.fetchone() or (0,))[0] == 1


async def test_a_bucket_that_is_away_is_waited_for(
    temporal_server: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a tool has done is held on to until it can be written: the tool is not run again."""
    ran: list[Proxy] = []

    @tool(effect="unsafe", approval="never", quick=True)
    async def act() -> str:
        """Do something large, while the bucket goes away."""
        ran.append(proxy)
        proxy.away()
        return "x" * 40_000

    conversation = [Reply.tools(("act", {}, "call_1")), Reply.text("done")]
    async with bucket_server(tmp_path / "s3") as bucket, proxied_bucket(bucket, monkeypatch) as proxy:
        store = BucketArtifacts(bucket.url)
        async with (
            PostgresEventLog.connect(database.url, bucket=store, limit=32_000) as log,
            world(temporal_server, log, tmp_path, {"go": conversation}, [act]) as here,
        ):
            handle = await here.start("go")
            async with asyncio.timeout(60):
                while not proxy.refused:
                    await asyncio.sleep(0.02)
            assert "ToolExecutionCompleted" not in await here.types(handle.id)
            proxy.back()
            assert (await here.done(handle))["status"] == "completed"
            events = await here.events(handle.id)
    assert len([event for event in events if isinstance(event, ToolExecutionRequested)]) == len(ran) == 1


@asynccontextmanager
async def proxied_bucket(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """A way to the bucket that can be closed."""
    address = urlsplit(bucket.variables["AWS_ENDPOINT_URL"])
    proxy = Proxy(str(address.hostname), int(address.port or 0))
    async with await asyncio.start_server(proxy.serve, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        for name, value in {**bucket.variables, "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}"}.items():
            monkeypatch.setenv(name, value)
        yield proxy
