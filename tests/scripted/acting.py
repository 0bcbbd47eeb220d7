"""A small agent: asks a scripted model over HTTP and does what it wants with the real tools."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventlog.streams import ThreadId
from tests.scripted.asking import Talk, replied, result, said
from tools.context import ToolContext
from tools.plugins import load_tools
from tools.toolbox import Failed, Succeeded, Unplanned
from tools.workbench import Workbench

MOST_TURNS = 10


@dataclass
class Agent:
    """One thread, without anything that makes it last."""

    talk: Talk
    workspace: Path
    denied: str | None = None
    """The reason why a person forbids whatever is asked of them."""
    without: Sequence[str] = ()
    """Tools the model is not given."""
    system: str = "You are helpful."
    messages: list[dict[str, Any]] = field(default_factory=list)
    called: list[list[str]] = field(default_factory=list)
    """The names of the tools called, turn by turn."""

    def __post_init__(self) -> None:
        self._bench = Workbench(load_tools([]), self.workspace)
        names = [terms.name for terms in self._bench.terms(None)]
        self._names = [name for name in names if name not in self.without]

    async def told(self, message: str) -> str:
        """Say something, and hear the model's last word on it."""
        self.messages.append(said(message))
        tools = [spec.model_dump() for spec in self._bench.specs(self._names)]
        for _ in range(MOST_TURNS):
            reply = await self.talk.streamed(self.messages, tools=tools, system=self.system)
            content = [{key: value for key, value in block.items() if value is not None} for block in reply["content"]]
            self.messages.append(replied(content))
            calls = [block for block in content if block["type"] == "tool_use"]
            if not calls:
                return "".join(block.get("text", "") for block in content)
            self.called.append([call["name"] for call in calls])
            self.messages.append(said(list(await asyncio.gather(*map(self._run, calls)))))
        raise AssertionError("the model never comes to an end")

    async def _run(self, call: dict[str, Any]) -> dict[str, Any]:
        """Do what the model wants, if it may, and say what came of it."""
        plan = self._bench.plan(call["name"], call["input"], self._names)
        if isinstance(plan, Unplanned):
            return result(call["id"], f"[perdure] {plan.problem}", is_error=True)
        if plan.question is not None and self.denied is not None:
            words = f"[perdure] ana did not allow this call, so it was not run. Reason: {self.denied}"
            return result(call["id"], words, is_error=True)
        match await self._bench.run(plan, self._context(call["id"])):
            case Succeeded(result=blocks):
                return result(call["id"], list(blocks))
            case Failed(problem=problem):
                return result(call["id"], f"[perdure] The tool failed: {problem}", is_error=True)

    def _context(self, call_id: str) -> ToolContext:
        """What a worker would tell a tool."""
        return ToolContext(
            thread_id=ThreadId("thread-1"),
            call_id=call_id,
            tenant="acme",
            principal="ana",
            idempotency_key=call_id,
            attempt=1,
            workspace=self.workspace,
            heartbeat=lambda _: None,
        )
