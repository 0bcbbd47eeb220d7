"""A workspace with a world around it that no tool may touch, and a bench to run tools on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eventlog.streams import ThreadId
from llm.messages import JsonObject
from tools.context import ToolContext
from tools.plugins import load_tools
from tools.tool import Tool
from tools.toolbox import Planned, ToolResult, Unplanned
from tools.workbench import Workbench

SECRET = "outside-secret-a7f3"


@dataclass
class Bench:
    """A workbench, used the way a worker uses it."""

    workbench: Workbench
    heard: list[str] = field(default_factory=list)
    """The progress that tools told."""

    def context(self, key: str = "key-1") -> ToolContext:
        """What a worker would tell a tool."""
        return ToolContext(
            thread_id=ThreadId("thread-1"),
            call_id="call-1",
            tenant="acme",
            principal="ana",
            idempotency_key=key,
            attempt=1,
            workspace=self.workbench.workspace,
            heartbeat=self.heard.append,
        )

    def plan(self, name: str, arguments: JsonObject) -> Planned:
        """The plan of a call that can be made."""
        plan = self.workbench.plan(name, arguments, [name])
        assert isinstance(plan, Planned), plan
        return plan

    def problem(self, name: str, arguments: JsonObject) -> str:
        """What the model reads of a call that cannot be made."""
        plan = self.workbench.plan(name, arguments, [name])
        assert isinstance(plan, Unplanned), plan
        return plan.problem

    async def run(self, name: str, /, **arguments: object) -> ToolResult:
        """Plan a call and make it."""
        return await self.workbench.run(self.plan(name, arguments), self.context())


MakeBench = Callable[..., Bench]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the workspace, with a secret in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def bench_of(workspace: Path) -> MakeBench:
    """Makes a bench of tools."""

    def make(*tools: Tool, **options: Any) -> Bench:
        return Bench(Workbench(tools, workspace, **options))

    return make


@pytest.fixture
def builtin(bench_of: MakeBench) -> Bench:
    """A bench with the built-in tools."""
    return bench_of(*load_tools([]))
