"""What a thread that waits takes of its worker's memory, over a bare workflow that waits for a signal.

`python -m bench.waiting` runs it in about three minutes. Each kind has a worker process of its own on the same servers;
memory is what the process has resident, before the first thread and when a thousand wait.
"""

import asyncio
import gc
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client, WorkflowHandle

from bench.bare import BareWait
from bench.database import measured_database
from bench.goals import machine, show
from bench.model import Plan
from bench.system import System, logging_into, measured_temporal, system
from eventlog.ids import new_thread_id
from eventlog.streams import ThreadId, stream_of

THREADS = 1000
AT_ONCE = 50
SIZE = 1000
BARE, MESSAGE, APPROVAL = "bare", "message", "approval"
KINDS = {
    BARE: "a bare workflow that waits after 2 activities",
    MESSAGE: "a chat that waits for a message, after 1 reply",
    APPROVAL: "a thread that waits for an approval, after 1 reply",
}
LAST_POSITION = {MESSAGE: 3, APPROVAL: 4}
"""Of a thread that has come to wait."""


async def wait_one(system: System, kind: str) -> None:
    """Start one, and return when it waits."""
    if kind == BARE:
        name = f"bare-{new_thread_id()}"
        handle = await system.client.start_workflow(BareWait.run, 2, id=name, task_queue=system.bare_queue)
        await _until_settled(handle)
        return
    thread = new_thread_id()
    plan = Plan(0, "look_up", SIZE) if kind == MESSAGE else Plan(1, "publish", SIZE)
    handle = await system.start(thread, plan, mode="chat" if kind == MESSAGE else "task")
    await _until_written(system, thread, LAST_POSITION[kind])
    await _until_settled(handle)


async def _until_written(system: System, thread: str, position: int) -> None:
    while await system.log.version(stream_of(ThreadId(thread))) < position:  # noqa: ASYNC110 - the log tells nobody
        await asyncio.sleep(0.05)


async def _until_settled(handle: WorkflowHandle[Any, Any]) -> None:
    """Until its last event is a workflow task that left nothing to do."""
    while True:
        described = await handle.describe()
        info = described.raw_description
        if described.history_length > 10 and not info.pending_activities and not info.HasField("pending_workflow_task"):
            return
        await asyncio.sleep(0.05)


async def taken(system: System, kind: str, threads: int) -> tuple[int, int]:
    """Bytes that the process has resident: idle, and while so many wait."""
    await wait_one(system, kind)  # whatever is loaded once
    idle = _resident()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await wait_one(system, kind)

    await asyncio.gather(*(one() for _ in range(threads)))
    return idle, _resident()


def _resident() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


async def work(kind: str, address: str, database: str) -> None:
    """Be the worker of one kind: print what it takes."""
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder, logging_into(Path(folder)):
        async with system(address, database, Path(folder)) as here:
            idle, waiting = await taken(here, kind, THREADS)
            show(f"{idle} {waiting}")
            await _end_all(here.client)


async def _end_all(client: Client) -> None:
    """Leave the server to the next worker as this one found it."""
    async for each in client.list_workflows('ExecutionStatus="Running"'):
        await client.get_workflow_handle(each.id).terminate()


async def _in_a_process(*arguments: str) -> tuple[int, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.waiting", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise AssertionError(f"the worker for {arguments[0]} ended with {process.returncode}")
    idle, waiting = output.split()
    return int(idle), int(waiting)


async def main() -> None:
    """Measure each kind, and show it line by line as it comes."""
    show(f"Waiting: {machine()}; {THREADS:,} of each\n")
    show(f"{'kind':<52}{'idle MB':>8}{'waiting MB':>12}{'KB each':>9}")
    async with AsyncExitStack() as exits:
        folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="perdure-bench-", ignore_cleanup_errors=True))
        address = await exits.enter_async_context(measured_temporal(Path(folder)))
        database = await exits.enter_async_context(measured_database())
        for kind, words in KINDS.items():
            idle, waiting = await _in_a_process(kind, address, database)
            each = (waiting - idle) / THREADS / 1024
            show(f"{words:<52}{idle / 2**20:>8.0f}{waiting / 2**20:>12.0f}{each:>9.0f}")


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]) if len(sys.argv) > 1 else main())
