"""A bench with the tools of servers, as a worker has it."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.packaging.checkout import ROOT
from tests.tools.conftest import Bench
from tools.mcp.servers import Connections

PATIENCE = 30.0
"""Seconds after which a test gives up waiting; nothing is measured by it."""


def unruly(folder: Path, **more: Any) -> dict[str, Any]:
    """How the unruly server is configured."""
    args = ["-m", "tests.mcp.unruly", str(folder)]
    return {"command": "${PYTHON}", "args": args, "env": {"UNRULY_TOKEN": "${UNRULY_TOKEN}"}, "cwd": str(ROOT), **more}


@dataclass
class McpBench(Bench):
    """A workbench with the tools of servers."""

    source: Connections = field(default_factory=lambda: Connections([]))
    folder: Path = Path()

    def lines(self, name: str) -> list[str]:
        """What the unruly server noted in a file."""
        file = self.folder / name
        return file.read_text().split() if file.exists() else []

    async def until_noted(self, name: str, times: int = 1) -> list[str]:
        """The server's notes, as soon as there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(lines := self.lines(name)) < times:
                await asyncio.sleep(0.01)
        return lines

    async def until_well(self, *, well: bool = True) -> None:
        """Return when every server is connected, or one is not."""
        async with asyncio.timeout(PATIENCE):
            while any("__" not in name for name in self.source.problems()) is well:
                await asyncio.sleep(0.01)


def running(pids: list[str]) -> list[str]:
    """Those of the processes that still run."""
    return [pid for pid in pids if psutil.pid_exists(int(pid))]
