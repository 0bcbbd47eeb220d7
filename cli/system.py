"""The system as a process of ours: up with a worker that is kept running, a worker alone, and its examination."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bootstrap import connect_temporal, open_mcp
from cli.budgets_check import budgets_check
from cli.circuits import resilience
from cli.command import Invocation
from cli.connection import places
from cli.errors import ClientError
from cli.files_check import files_check
from cli.keeper import WorkerKeeper
from cli.ledger_check import ledger_check
from cli.notices import notices
from cli.pages import addresses_page
from cli.subscribers_check import subscribers_check
from cli.temporal import NoSuchWorkflow, count_workers
from settings import Settings
from stack.addresses import Addresses, Options
from stack.checks import Check, checks
from stack.stack import down, running
from stack.stack import up as bring_up
from telemetry.lines import configure_logging
from tools.errors import InvalidServers

_MCP = "Its tools are away until it can be reached: correct it, or the file that PERDURE_MCP names."
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def options_of(settings: Settings) -> Options:
    """What the embedded system shall consist of, by the settings."""
    return Options(
        home=settings.home,
        temporal_address=settings.temporal_address,
        temporal_namespace=settings.temporal_namespace,
        database_url=settings.database_url.get_secret_value() if settings.database_url else None,
        artifacts=settings.artifacts,
        scripted_model=settings.embeds_model,
    )


async def stay_up(run: Invocation, *, with_worker: bool) -> None:
    """Keep the system up until told to stop, or until somebody else takes it down."""
    settings = run.settings
    configure_logging(settings)
    attached = await running(settings.home) is not None
    with _stopping() as stop:
        run.output.note("attaching to the system that runs" if attached else "starting the system; a moment, please")
        stack = await bring_up(options_of(settings))
        keeper = WorkerKeeper(run.config, settings) if with_worker else None
        try:
            if keeper is not None:
                await keeper.start()
            stop.calmly = True
            _announce(run, stack.addresses, attached=attached, keeper=keeper)
            await _first(stop.wait(), stack.supervise(), *([keeper.keep()] if keeper else []))
        finally:
            run.output.note("stopping")
            try:
                if keeper is not None:
                    await keeper.stop()
            finally:
                if not attached:
                    await down(settings.home)


def _announce(run: Invocation, addresses: Addresses, *, attached: bool, keeper: WorkerKeeper | None) -> None:
    answer = {
        **_addresses(run.settings, addresses),
        "attached": attached,
        "worker": {"pid": keeper.pid, "log": str(keeper.log)} if keeper else None,
    }
    run.output.answer(answer, lambda page: addresses_page(page, answer))
    run.output.note('ready: in another terminal, perdure start "…" --wait. Ctrl-C ends this.')


def _addresses(settings: Settings, addresses: Addresses | None) -> dict[str, Any]:
    """Where everything is, fit to be shown."""
    shown = settings.redacted()
    return {
        "temporal": {
            "address": settings.temporal_address or (addresses.temporal if addresses else None),
            "ui": addresses.temporal_ui if addresses else None,
        },
        "database": shown["database_url"] or (addresses.database if addresses else None),
        "model": addresses.model if addresses and settings.embeds_model else _model_url(settings),
        "home": str(settings.home),
    }


def _model_url(settings: Settings) -> str | None:
    return settings.scripted_model_url if settings.uses_scripted_model else settings.anthropic_base_url


async def stay_at_work(run: Invocation, *, while_stdin: bool) -> None:
    """Work until told to stop."""
    import worker  # what only watches over a worker needs none of it

    configure_logging(run.settings)
    where = await places(run.settings, with_model=True)
    orphaned = asyncio.create_task(_stop_with_parent()) if while_stdin else None

    def ready() -> None:
        answer = {"task_queue": run.settings.task_queue, "temporal": {"address": where.temporal}, "pid": os.getpid()}
        run.output.answer(answer, lambda page: page.print(f"works on task queue {run.settings.task_queue!r}"))

    try:
        await worker.run(run.settings, where, ready)
    finally:
        if orphaned is not None:
            orphaned.cancel()


async def _stop_with_parent() -> None:
    """A parent that dies closes our stdin, however it dies: then stop as if told to."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def examine(settings: Settings) -> dict[str, Any]:
    """Every part of the system, and the settings."""
    found = [
        *await checks(options_of(settings)),
        *await _mcp(settings),
        *await resilience(settings),
        *await notices(settings),
        await ledger_check(settings),
        *await subscribers_check(settings),
        *await budgets_check(settings),
        *files_check(settings),
        await _worker(settings),
    ]
    return {
        **_addresses(settings, await running(settings.home)),
        "ok": all(check.ok for check in found),
        "checks": [asdict(check) for check in found],
        "settings": settings.redacted(),
    }


async def _mcp(settings: Settings) -> list[Check]:
    """Every MCP server, connected to for the moment."""
    try:
        async with open_mcp(settings) as servers:
            return [
                Check(f"mcp {name}", ok, told, "" if ok else _MCP) for name, (ok, told) in servers.standing().items()
            ]
    except InvalidServers as error:
        return [Check("mcp", False, str(error), "Correct the file that PERDURE_MCP names.")]


async def _worker(settings: Settings) -> Check:
    queue = settings.task_queue
    try:
        client = await connect_temporal(settings, (await places(settings)).temporal, lazy=True)
        workers = await count_workers(client, queue)
    except (ClientError, NoSuchWorkflow):
        return Check("worker", False, "cannot be seen without Temporal")
    if not workers:
        return Check("worker", False, f"none answers on task queue {queue!r}", "Start one with `perdure worker`.")
    return Check("worker", True, f"{workers} on task queue {queue!r}")


class _Stop:
    """What Ctrl-C and SIGTERM do: cancel what is being started, end calmly what runs, and the second time cancel.

    That is done once, however often they come: what is taken down after it must not be left half-way.
    """

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        self._task = task
        self._asked = asyncio.Event()
        self.calmly = False
        """Whether the first signal is to be waited for, rather than to cancel."""

    def __call__(self) -> None:
        if self._task is not None and (self._asked.is_set() or not self.calmly):
            self._task.cancel()
            self._task = None
        self._asked.set()

    async def wait(self) -> None:
        """Until a signal comes."""
        await self._asked.wait()


@contextmanager
def _stopping() -> Iterator[_Stop]:
    loop, stop = asyncio.get_running_loop(), _Stop(asyncio.current_task())
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _first(*waits: Any) -> None:
    """Wait for the first of these to end, and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
