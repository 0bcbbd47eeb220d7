"""Tools of each kind that record events and are held until their worker is gone: a worker loads them as its plugin."""

import asyncio
import os
import time

from eventlog.custom import CustomEvent
from tools.context import ToolContext
from tools.tool import tool


class Began(CustomEvent):
    """A process began a call."""

    namespace = "scribe"
    tool: str
    pid: int


class Ended(CustomEvent):
    """A process came to the end of a call."""

    namespace = "scribe"
    tool: str


@tool(effect="read_only", timeout=120)
def look(context: ToolContext) -> str:
    """Look at something."""
    _begin("look", context)
    while _is_first("look", context):
        context.stop_if_cancelled()
        time.sleep(0.01)
    return _end("look", context)


@tool(effect="idempotent", timeout=120)
async def put(context: ToolContext) -> str:
    """Put something where it belongs."""
    _begin("put", context)
    while _is_first("put", context):
        await asyncio.sleep(0.01)
    return _end("put", context)


@tool(effect="unsafe", timeout=120)
async def fire(context: ToolContext) -> str:
    """Do something that cannot be undone."""
    _begin("fire", context)
    await asyncio.sleep(3600)
    return _end("fire", context)


def _look_it_up(context: ToolContext) -> str:
    _begin("book", context)
    return _end("book", context)


@tool(effect="unsafe", timeout=120, reconcile=_look_it_up)
async def book(context: ToolContext) -> str:
    """Do something that can be looked up."""
    _begin("book", context)
    await asyncio.sleep(3600)
    return _end("book", context)


def _begin(name: str, context: ToolContext) -> None:
    context.record(Began(tool=name, pid=os.getpid()))


def _end(name: str, context: ToolContext) -> str:
    context.record(Ended(tool=name))
    return "done"


def _is_first(name: str, context: ToolContext) -> bool:
    """Whether no process but this one has come so far."""
    mark = context.workspace / f"{name}.first"
    if not mark.exists():
        mark.write_text(str(os.getpid()))
    return mark.read_text() == str(os.getpid())
