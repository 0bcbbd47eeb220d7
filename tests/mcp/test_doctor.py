"""What `perdure doctor` says of MCP servers."""

import json
import sys
from pathlib import Path

from cli.system import _mcp
from settings import Settings
from tests.mcp.bench import running, unruly


async def test_each_server_is_named(folder: Path, tmp_path: Path) -> None:
    """One that works with its tools and those left out, one that fails with why; no program is left running."""
    file = tmp_path / "mcp.json"
    well = {**unruly(folder), "command": sys.executable, "env": {}}
    file.write_text(json.dumps({"mcpServers": {"well": well, "ill": {"command": "/nowhere/at/all"}}}))
    good, bad = await _mcp(Settings(mcp=file))
    assert (good.name, good.ok, good.remedy) == ("mcp well", True, "")
    assert good.detail.startswith("11 tools; left out: ")
    assert (bad.name, bad.ok) == ("mcp ill", False)
    assert "/nowhere/at/all" in bad.detail
    assert running((folder / "pids").read_text().split()) == []


async def test_a_file_that_is_wrong_is_told(tmp_path: Path) -> None:
    """Mistakes in the file are a check that failed, and no server is started."""
    file = tmp_path / "mcp.json"
    file.write_text("{}")
    (check,) = await _mcp(Settings(mcp=file))
    assert (check.name, check.ok) == ("mcp", False)
    assert "mcpServers" in check.detail


async def test_without_servers_nothing_is_said() -> None:
    """Whoever has no servers reads nothing of them."""
    assert await _mcp(Settings()) == []
