"""Servers to connect to, and a bench with their tools."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.bench import McpBench, unruly
from tests.tools.conftest import workspace as workspace  # noqa: PLC0414 - a fixture
from tools.mcp.servers import open_servers
from tools.mcp.settings import read_servers
from tools.workbench import Workbench

Open = Callable[..., Awaitable[McpBench]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the unruly server is told, and what it did."""
    made = tmp_path / "unruly"
    made.mkdir()
    return made


@pytest.fixture
async def opened(workspace: Path, tmp_path: Path, folder: Path) -> AsyncIterator[Open]:
    """Opens a bench with the tools of servers, the unruly one where none are given."""
    async with AsyncExitStack() as exits:

        async def open_bench(servers: dict[str, Any] | None = None, **variables: str) -> McpBench:
            file = tmp_path / "mcp.json"
            file.write_text(json.dumps({"mcpServers": servers or {"unruly": unruly(folder)}}))
            known = {"UNRULY_TOKEN": "token-3141592653", "PYTHON": sys.executable, **variables}
            source = await exits.enter_async_context(open_servers(read_servers(file, known), known))
            return McpBench(Workbench([], workspace).beside(source), source=source, folder=folder)

        yield open_bench
