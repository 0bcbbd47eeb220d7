"""What the system recovers from."""

import asyncio
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from temporalio.client import Client

from stack.addresses import Addresses, Options
from stack.errors import ServerDied, StackBusy
from stack.home import Home
from stack.lock import locked
from stack.ports import LOOPBACK
from stack.stack import RESTARTS, Stack, down, running, up
from tests.stack.test_stack import COUNT, SAY, query, start_workflow

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
"""A program that holds a lock until it is killed."""
BUSY = "do $$ begin raise notice 'busy'; perform count(*) from generate_series(1, 1000000000); end $$"
"""A query that looks up from its work seldom."""


def kill(pid: int) -> None:
    """End a process at once, and wait until it has ended."""
    process = psutil.Process(pid)
    process.kill()
    with suppress(psutil.NoSuchProcess):
        process.wait(10)


async def restarted(options: Options, name: str, old: int) -> Addresses:
    """The addresses once a server runs as another process."""
    async with asyncio.timeout(60):
        while True:
            addresses = Addresses.load(Home(options.home).stack)
            if addresses and addresses.pids.get(name, old) != old and await running(options.home):
                return addresses
            await asyncio.sleep(0.05)


async def test_a_killed_postgres_comes_back_with_what_was_committed(only_postgres: Options) -> None:
    """`up` after SIGKILL recovers the cluster."""
    before = (await up(only_postgres)).addresses
    await query(before.database, SAY)
    kill(before.pids["postgres"])
    assert await running(only_postgres.home) is None
    after = (await up(only_postgres)).addresses
    assert after.database == before.database
    assert await query(after.database, COUNT) == 1


async def test_a_killed_postgres_comes_back_though_a_query_of_its_is_still_at_work(only_postgres: Options) -> None:
    """Processes that outlive a killed server do not keep the next one from starting."""
    before = (await up(only_postgres)).addresses
    async with await psycopg.AsyncConnection.connect(before.database, autocommit=True) as connection:
        await connection.execute("set client_min_messages to notice")
        reached = asyncio.Event()
        connection.add_notice_handler(lambda _: reached.set())
        query_at_work = asyncio.create_task(connection.execute(BUSY))
        await reached.wait()
        kill(before.pids["postgres"])
        after = (await up(only_postgres)).addresses
        with pytest.raises(psycopg.OperationalError):
            await query_at_work
    assert await query(after.database, COUNT) == 0


async def test_the_supervisor_restarts_a_killed_temporal(only_temporal: Options) -> None:
    """A crashed server is started again at its address with its data."""
    stack = await up(only_temporal)
    before = stack.addresses
    await start_workflow(before.temporal, "kept")
    watch = asyncio.create_task(stack.supervise())
    kill(before.pids["temporal"])
    after = await restarted(only_temporal, "temporal", before.pids["temporal"])
    assert after.temporal == before.temporal
    assert await (await Client.connect(after.temporal)).get_workflow_handle("kept").describe()
    await down(only_temporal.home)
    await watch


async def test_the_supervisor_restarts_a_killed_postgres(only_postgres: Options) -> None:
    """A crashed database is started again at its address with its data."""
    stack = await up(only_postgres)
    before = stack.addresses
    await query(before.database, SAY)
    watch = asyncio.create_task(stack.supervise())
    kill(before.pids["postgres"])
    after = await restarted(only_postgres, "postgres", before.pids["postgres"])
    assert await query(after.database, COUNT) == 1
    await down(only_postgres.home)
    await watch


async def test_the_supervisor_gives_up_on_a_server_that_cannot_stay(whole: Options) -> None:
    """A server that crashes again and again ends the supervision with its last words."""
    stack = Stack(whole.model_copy(update={"temporal_address": "x", "database_url": "x"}))
    await stack.start()
    kill(stack.addresses.pids["model"])
    port = int((stack.addresses.model or "").rpartition(":")[2])
    with socket.create_server((LOOPBACK, port)), pytest.raises(ServerDied, match=f"crashed {RESTARTS + 1} times"):
        await stack.supervise()


async def test_a_stale_record_of_a_reused_pid_is_not_believed(only_postgres: Options) -> None:
    """A process that was given a dead server's number is neither attached to nor stopped."""
    layout = Home(only_postgres.home)
    stack = await up(only_postgres)
    record = json.loads(layout.record("postgres").read_text())
    state = stack.addresses.model_copy(update={"pids": {"postgres": os.getpid()}})
    await down(only_postgres.home)
    layout.record("postgres").write_text(json.dumps(record | {"pid": os.getpid()}))
    state.save(layout.stack)
    assert await running(only_postgres.home) is None
    assert await down(only_postgres.home) == []
    assert (await up(only_postgres)).addresses.pids["postgres"] != os.getpid()


async def test_state_files_that_cannot_be_read_are_no_obstacle(only_temporal: Options) -> None:
    """Half-written state is as good as none."""
    layout = Home(only_temporal.home)
    layout.make()
    layout.record("temporal").parent.mkdir()
    for file in (layout.stack, layout.ports, layout.record("temporal")):
        file.write_text("{")
    assert await running(only_temporal.home) is None
    assert (await up(only_temporal)).addresses.pids


async def test_servers_without_a_record_are_taken_over(whole: Options) -> None:
    """A server whose starter died before it could note it is found again."""
    before = (await up(whole)).addresses
    for name in before.pids:
        Home(whole.home).record(name).unlink()
    assert (await up(whole)).addresses.pids == before.pids


async def test_the_pid_file_of_a_dead_postgres_is_no_obstacle(only_postgres: Options) -> None:
    """A `postmaster.pid` that names a living stranger does not keep PostgreSQL from starting."""
    await up(only_postgres)
    await down(only_postgres.home)
    cluster = Home(only_postgres.home).postgres / "data"
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n")
    assert (await up(only_postgres)).addresses.pids["postgres"]


async def test_a_first_start_of_temporal_that_was_interrupted_is_begun_anew(only_temporal: Options) -> None:
    """A database file without tables, which the server would refuse for ever, is replaced."""
    database = Home(only_temporal.home).temporal
    database.parent.mkdir(parents=True)
    database.touch()
    assert (await up(only_temporal)).addresses.pids["temporal"]


@pytest.mark.parametrize("part", ["temporal", "temporal_ui", "postgres"])
async def test_a_taken_port_is_replaced(part: str, only_temporal: Options, only_postgres: Options) -> None:
    """When another program listens on a remembered port, the server moves to another one."""
    options = only_postgres if part == "postgres" else only_temporal
    with socket.create_server((LOOPBACK, 0)) as other:
        taken = other.getsockname()[1]
        Home(options.home).make()
        Home(options.home).ports.write_text(json.dumps({part: taken}))
        await up(options)
        assert json.loads(Home(options.home).ports.read_text())[part] != taken


async def test_a_lock_whose_holder_was_killed_is_free(tmp_path: Path) -> None:
    """The lock file of a dead process is no obstacle."""
    lock = tmp_path / "lock"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(lock), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout
    await holder.stdout.readline()
    with pytest.raises(StackBusy, match="perdure up"):
        async with locked(lock, timeout=0.1):
            pass
    holder.kill()
    await holder.communicate()
    async with locked(lock, timeout=0.1):
        pass
