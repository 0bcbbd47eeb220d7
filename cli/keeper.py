"""A worker as a child process that is started again whenever it dies."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from cli.errors import WorkerDoesNotStart
from settings import Settings
from stack.log import tail

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before a worker that dies at once is started again; doubling."""
STEADY = 30.0
"""A worker that has lived so many seconds is started again without a pause."""
READY_TIMEOUT = 60.0
MARGIN = 5.0
"""Seconds on top of the grace a worker has to let its calls finish."""

_CLIENT = Path(__file__).parent.parent / "client.py"

logger = structlog.get_logger()


class WorkerKeeper:
    """Keeps one worker running. It dies with its keeper, even where that is killed: its stdin is then closed."""

    def __init__(
        self,
        config: Path | None,
        settings: Settings,
        *,
        name: str = "worker",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, str(_CLIENT), "worker", "--json", "--while-stdin"]
        if config is not None:
            self._command += ["--config", str(config)]
        self._environment = {**os.environ, **(environment or {})}
        self._grace = settings.graceful_shutdown_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self.log = settings.home / "logs" / f"{name}.log"

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it and wait until it works; raises `WorkerDoesNotStart` with its own words."""
        process = await self._spawn()
        if process.stdout is None:
            raise AssertionError("its stdout is a pipe")
        said = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_TIMEOUT):
                said = await process.stdout.readline()
        answer = json.loads(said) if said.strip() else {}
        if "pid" not in answer:
            raise self._not_started(answer.get("error"))

    def _not_started(self, error: Mapping[str, str] | None) -> WorkerDoesNotStart:
        why = error["message"] if error else f"it says nothing; the last lines of its log:\n{tail(self.log, 3)}"
        remedy = error.get("remedy") if error else None
        return WorkerDoesNotStart(
            f"the worker does not start: {why}",
            remedy=remedy or f"its log is {self.log}; without a worker: perdure up --no-worker",
        )

    async def keep(self) -> None:
        """Start it again whenever it dies."""
        while self._process is not None:
            code = await self._process.wait()
            if time.monotonic() - self._started > STEADY:
                self._pause = FIRST_PAUSE
            logger.warning("worker_died", exit_code=code, log=str(self.log), again_in=self._pause)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            await self._spawn()

    async def stop(self) -> None:
        """Let its running calls finish, then end it; at once where this is cancelled."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._grace + MARGIN):
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def kill(self) -> int | None:
        """End it at once, as a power failure would; its exit code."""
        if self._process is None:
            return None
        with suppress(ProcessLookupError):
            self._process.kill()
        return await self._process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the keeper, which then stops it gracefully
            )
        self._started = time.monotonic()
        return self._process
