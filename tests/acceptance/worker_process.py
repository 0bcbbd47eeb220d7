"""A worker as a process of its own, which can be killed, frozen, thawed and told to stop."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a test gives up waiting; nothing is measured by it."""
OURS = ("PERDURE_", "TEMPORAL_", "ANTHROPIC_", "DATABASE_URL", "OTEL_")


class DidNotStart(Exception):
    """A worker ended before it worked; the message is what it said."""


class WorkerProcess:
    """`perdure worker`, as anybody starts it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log
        """What it writes to stderr."""

    @classmethod
    async def start(cls, settings: Mapping[str, str], folder: Path, log: Path, module: str = "client") -> Self:
        """Start one, in a folder, with these settings and no others; `module` is what is run for `perdure`."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                "worker",
                "--json",
                env=env | {"PYTHONPATH": str(ROOT), **settings},
                cwd=folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        return cls(process, log)

    async def ready(self) -> Self:
        """The worker, as soon as it works. Raises `DidNotStart`."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        if not line or json.loads(line).get("pid") != self.pid:
            raise DidNotStart(line.decode() or self.log.read_text())
        return self

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """End it at once, without a chance to do anything."""
        self._signal(signal.SIGKILL)
        await self.ended()

    def freeze(self) -> None:
        """Stop its clock."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit code, when it has ended."""
        return await asyncio.wait_for(self._process.wait(), PATIENCE)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
