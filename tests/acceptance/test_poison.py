"""Tools that kill the process that runs them, each time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eventlog.events import ToolExecutionFailed, ToolExecutionOutcomeUnknown
from stack.scripted.answers import Reply
from tests.acceptance.invariants import told
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Stage, staged
from workflows.options import CRASHES

PLAYS = {
    name: [Reply.tools((name, {}, f"{name}-1")), Reply.text("done")] for name in ("poison", "quick_poison", "venom")
}

ATTEMPTS = 1
"""What the poison asks for."""


@asynccontextmanager
async def manned(stage: Stage) -> AsyncIterator[None]:
    """Whenever the worker dies there is a new one."""

    async def man() -> None:
        while True:
            await (await stage.hire()).ended()

    manning = asyncio.create_task(man())
    try:
        yield
    finally:
        manning.cancel()
        await asyncio.gather(manning, return_exceptions=True)


async def test_a_tool_that_kills_its_worker_is_given_up_and_the_thread_goes_on(
    servers: Servers, tmp_path: Path
) -> None:
    """One that may be repeated gets its attempts and a few more, also when it is quick; one that may not gets one."""
    async with staged(servers, tmp_path, PLAYS) as stage:
        handles = {name: await stage.start(name) for name in PLAYS}
        async with manned(stage):
            stories = {name: await told(stage, handle) for name, handle in handles.items()}
    assert {story.outcome["reason"] for story in stories.values()} == {"success"}
    for name in ("poison", "quick_poison"):
        failed = stories[name].outcome_of(f"{name}-1")
        assert isinstance(failed, ToolExecutionFailed)
        assert failed.kind == "crashed"
        assert 1 < len(stories[name].began) <= 1 + ATTEMPTS + CRASHES
        first, *others = [int(line.said) for line in stories[name].began]
        assert first == 1
        assert all(attempt > 1 for attempt in others)
    assert isinstance(stories["venom"].outcome_of("venom-1"), ToolExecutionOutcomeUnknown)
    assert len(stories["venom"].acted) <= 1
