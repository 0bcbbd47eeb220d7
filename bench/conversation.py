"""A conversation of 200,000 tokens with 100 tool calls: whether it ends well, and what it leaves in Temporal.

`python -m bench.conversation` runs it in about half a minute. Where every model call is given the whole conversation
through Temporal, its history holds all requests together, which grow with the square of the conversation, and the
server ends a run at 50 MB.
"""

import asyncio
import time
from dataclasses import dataclass

from bench.goals import at_least, at_most, machine, show
from bench.history import Left, left_by
from bench.model import CHARACTERS_A_TOKEN, Plan
from bench.system import System, events_of, measured_system
from eventlog.events import LLMCallRequested, LLMResponseReceived
from eventlog.ids import new_thread_id
from eventlog.streams import ThreadId, stream_of

CALLS = 100
SIZE = 300
"""Characters of a reply; the tool's result has 8,000."""
TOKENS = 200_000
LIMIT = 50 * 1024 * 1024
"""Bytes of history at which Temporal ends a run."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the conversation went."""

    seconds: float
    tokens: int
    """Of the last request."""
    requested: int
    """Bytes of all requests together."""
    events: int
    left: Left


async def hold(system: System, calls: int) -> Result:
    """The conversation, from its beginning to its good end. Raises `AssertionError` where it ends otherwise."""
    begin = time.perf_counter()
    handle = await system.start(new_thread_id(), Plan(calls, "read_chapter", SIZE))
    await system.finish(handle, events_of(calls))
    seconds = time.perf_counter() - begin
    events = [each.event async for each in system.log.read(stream_of(ThreadId(handle.id)))]
    requested = sum(event.request_bytes for event in events if isinstance(event, LLMCallRequested))
    usage = [event.token_usage for event in events if isinstance(event, LLMResponseReceived)][-1]
    return Result(seconds, usage.total, requested, len(events), await left_by(system, handle))


async def main() -> None:
    """Measure, and show it."""
    show(f"A long conversation: {machine()}\n")
    async with measured_system() as system:
        result = await hold(system, CALLS)
    left = result.left
    show(f"{CALLS} tool calls, {result.tokens:,} tokens of {CHARACTERS_A_TOKEN} characters at the end")
    show(f"ended well after {result.seconds:.1f} s, with {result.events:,} events in the log")
    show(f"Temporal's history: {left.size:,} bytes, {left.events:,} events, {left.runs} runs")
    show(f"all requests together: {result.requested:,} bytes, {result.requested / left.size:,.0f} times as many\n")
    show(at_least("tokens at the end", result.tokens, TOKENS))
    show(at_most("bytes of history, in shares of what ends a run", left.size / LIMIT, 0.01))


if __name__ == "__main__":
    asyncio.run(main())
