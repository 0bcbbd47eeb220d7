"""Tools whose effects stand in a ledger and whose calls can be held at a gate: a worker loads them as its plugin."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from eventlog.canonical import canonical_text
from tests.acceptance.ledger import Gates, Ledger, Line, What
from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.tool import tool

Hold = Annotated[
    Literal["no", "before", "after", "asked"],
    Field(description="Whether to wait before the effect, after it, or for somebody's leave."),
]

ATTEMPTS = 10
"""A worker that is frozen has asked for work before, and until it is given up each of its pollers takes one attempt."""


def asks(arguments: Mapping[str, Any]) -> bool:
    """Whether somebody must allow the call."""
    return bool(arguments["hold"] == "asked")


@tool(effect="read_only", timeout=120, attempts=ATTEMPTS, approval=asks)
def look(context: ToolContext, hold: Hold = "no") -> str:
    """Look at the world."""
    return _act("look", context, hold)


@tool(effect="read_only", quick=True)
def glance(context: ToolContext) -> str:
    """Look at the world, in no time."""
    return _act("glance", context, "no")


@tool(effect="idempotent", timeout=120, attempts=ATTEMPTS, approval=asks)
def put(context: ToolContext, hold: Hold = "no") -> str:
    """Put something where it belongs; twice is once."""
    return _act("put", context, hold)


@tool(effect="unsafe", timeout=120, attempts=ATTEMPTS, approval=asks)
def fire(context: ToolContext, hold: Hold = "no") -> str:
    """Do something that cannot be undone."""
    return _act("fire", context, hold)


def _look_it_up(context: ToolContext, hold: Hold) -> str:  # noqa: ARG001 - a reconcile takes the tool's arguments
    if Ledger(context.workspace).lines("acted", context.thread_id, context.call_id):
        return "it was booked"
    raise ToolFailed("it was not booked")


@tool(effect="unsafe", timeout=120, attempts=ATTEMPTS, approval=asks, reconcile=_look_it_up)
def book(context: ToolContext, hold: Hold = "no") -> str:
    """Do something that cannot be undone, but can be looked up."""
    return _act("book", context, hold)


@tool(effect="unsafe", timeout=120, attempts=ATTEMPTS, approval="always", risk="high")
def launch(context: ToolContext, hold: Hold = "no") -> str:
    """Do something that somebody must allow."""
    return _act("launch", context, hold)


@tool(effect="unsafe", timeout=120, attempts=ATTEMPTS)
def pay(context: ToolContext, amount: int, how: str) -> str:
    """Pay, which cannot be undone; the policy says how it must be allowed."""
    line = Line("acted", "pay", context.thread_id, context.call_id, context.idempotency_key, os.getpid())
    Ledger(context.workspace).write(replace(line, said=canonical_text({"amount": amount, "how": how})))
    return "paid"


@tool(effect="read_only", attempts=1)
def poison(context: ToolContext) -> str:
    """Kill the process that runs it."""
    return _kill("poison", context)


@tool(effect="read_only", attempts=1, quick=True)
def quick_poison(context: ToolContext) -> str:
    """Kill the process that runs it, in no time."""
    return _kill("quick_poison", context)


@tool(effect="unsafe")
def venom(context: ToolContext) -> str:
    """Kill the process that runs it, which may not happen twice."""
    return _kill("venom", context)


def _act(name: str, context: ToolContext, hold: Hold) -> str:
    _note("began", name, context)
    if hold == "before":
        _wait(context)
    _note("acted", name, context)
    if hold == "after":
        _wait(context)
    return f"{name} done"


def _kill(name: str, context: ToolContext) -> str:
    _note("began", name, context, said=str(context.attempt))
    _note("acted", name, context)
    os.kill(os.getpid(), signal.SIGKILL)
    return "never said"


def _note(what: What, name: str, context: ToolContext, said: str = "") -> None:
    line = Line(what, name, context.thread_id, context.call_id, context.idempotency_key, os.getpid(), said)
    Ledger(context.workspace).write(line)


def _wait(context: ToolContext) -> None:
    gates = Gates(context.workspace)
    while not gates.is_open(context.call_id):
        context.stop_if_cancelled()
        time.sleep(0.01)
