"""The embedded system as one thing."""

import asyncio
import stat
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from temporalio.client import Client

from stack.addresses import Addresses, Options
from stack.errors import DataFolderUnusable
from stack.home import Home
from stack.server import answers_http
from stack.stack import down, running, up

SAY = "select write_message(gen_random_uuid()::text, 'agent:v1-1', 'Said', '{}')"
COUNT = "select count(*) from messages"
ROOT = Path(__file__).parents[2]


async def query(url: str, statement: str) -> object:
    """The first value a statement answers."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(statement)).fetchone()
    return row[0] if row else None


async def start_workflow(address: str, workflow_id: str) -> None:
    """Start a workflow that no worker will take."""
    client = await Client.connect(address)
    await client.start_workflow("Nobody", id=workflow_id, task_queue="nobody")


async def in_another_process(home: Path, *words: str) -> Addresses:
    """What another process prints that brings the system up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stack.other_process", str(home), *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    output, _ = await process.communicate()
    return Addresses.model_validate_json(output)


def is_open_to_others(path: Path) -> bool:
    """Whether another user may read it."""
    return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but whom nobody has asked for its end does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_one_call_brings_up_every_part(whole: Options) -> None:
    """After `up` Temporal, its web UI, Message DB and the scripted model answer."""
    addresses = (await up(whole)).addresses
    await start_workflow(addresses.temporal, "first")
    assert await query(addresses.database, SAY) == 0
    assert addresses.temporal_ui is not None
    assert addresses.model is not None
    assert await answers_http(int(addresses.temporal_ui.rpartition(":")[2]), "/")
    assert await answers_http(int(addresses.model.rpartition(":")[2]), "/health")
    assert set(addresses.pids) == {"postgres", "temporal", "model"}
    assert await running(whole.home) == addresses


async def test_its_secrets_are_for_its_owner_only(whole: Options) -> None:
    """No other user may read the addresses, the passwords, the logs or the data, and no address holds a password."""
    addresses = (await up(whole)).addresses
    layout = Home(whole.home)
    private = [layout.folder, layout.stack, layout.postgres / "pgpass", layout.temporal, layout.log("x").parent]
    assert [path for path in private if is_open_to_others(path)] == []
    assert psycopg.conninfo.conninfo_to_dict(addresses.database).get("password") is None


async def test_data_survives_down_and_up(whole: Options) -> None:
    """What was written is there after a restart, at the same addresses."""
    before = (await up(whole)).addresses
    await query(before.database, SAY)
    await start_workflow(before.temporal, "kept")
    assert set(await down(whole.home)) == {"postgres", "temporal", "model"}
    assert await running(whole.home) is None
    after = (await up(whole)).addresses
    assert after.model_copy(update={"pids": {}}) == before.model_copy(update={"pids": {}})
    assert await query(after.database, COUNT) == 1
    assert await (await Client.connect(after.temporal)).get_workflow_handle("kept").describe()


async def test_a_second_caller_attaches(whole: Options) -> None:
    """Another process that calls `up` gets the same servers."""
    first = (await up(whole)).addresses
    assert await in_another_process(whole.home) == first


async def test_of_two_callers_at_once_one_starts_the_servers(whole: Options) -> None:
    """Two processes that find nothing agree on one set of servers."""
    one, other = await asyncio.gather(in_another_process(whole.home), in_another_process(whole.home))
    assert one == other
    assert await running(whole.home) == one


async def test_what_a_killed_starter_left_is_attached_to_and_stopped(whole: Options) -> None:
    """Servers outlive the process that started them, and `down` finds them."""
    left = await in_another_process(whole.home, "kill")
    assert (await up(whole)).addresses == left
    await down(whole.home)
    assert [pid for pid in left.pids.values() if is_alive(pid)] == []


async def test_a_missing_server_is_added_to_those_that_run(whole: Options, only_postgres: Options) -> None:
    """Who wants more than runs gets the rest started and keeps what runs."""
    some = (await up(only_postgres)).addresses
    every = (await up(whole)).addresses
    assert every.pids["postgres"] == some.pids["postgres"]
    assert set(every.pids) == {"postgres", "temporal", "model"}


async def test_parts_from_outside_are_not_started(only_temporal: Options) -> None:
    """A given database is named in the addresses and nothing is started for it."""
    addresses = (await up(only_temporal)).addresses
    assert addresses.database == only_temporal.database_url
    assert addresses.model is None
    assert set(addresses.pids) == {"temporal"}


async def test_a_part_that_cannot_start_leaves_nothing_running(whole: Options) -> None:
    """When one server fails the others that were started with it are stopped."""
    cluster = Home(whole.home).postgres / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("13\n")
    with pytest.raises(DataFolderUnusable, match="PostgreSQL 13 wrote it"):
        await up(whole)
    assert await down(whole.home) == []


async def test_a_home_that_cannot_be_written_is_named(whole: Options, tmp_path: Path) -> None:
    """The error names the folder and what to do."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataFolderUnusable, match="PERDURE_HOME") as raised:
        await up(whole.model_copy(update={"home": file / "home"}))
    assert str(file / "home") in str(raised.value)


async def test_nothing_runs_in_a_home_that_does_not_exist(home: Path) -> None:
    """An unused home has nothing to attach to and nothing to stop."""
    assert await running(home) is None
    assert await down(home) == []
