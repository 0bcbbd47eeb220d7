"""Work that Temporal asks to stop, or has lost sight of."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.underway import Underway
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tests.workflow.world import PATIENCE, World
from tools.tool import tool

PLAYS = {"go": [Reply.tools(("linger", {}, "call_1")), Reply.text("done")]}


class Lingering:
    """A tool that is told when it may end, and tells when it was stopped."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.stopped = asyncio.Event()

    async def linger(self) -> str:
        """Wait for leave to end."""
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        return "it ended"


@pytest.fixture
async def lingering() -> Lingering:
    """The tool's strings."""
    return Lingering()


async def begun(play: Play, lingering: Lingering) -> tuple[World, WorkflowHandle[Any, Any]]:
    """A thread in the middle of a call."""
    world = await play(PLAYS, [tool(effect="unsafe")(lingering.linger)])
    handle = await world.start("go")
    await asyncio.wait_for(lingering.began.wait(), PATIENCE)
    return world, handle


@pytest.mark.parametrize("end", [lambda handle: handle.terminate(), lambda handle: handle.cancel()], ids=["end", "ask"])
async def test_a_call_is_stopped_with_its_workflow(
    play: Play, lingering: Lingering, end: Callable[[WorkflowHandle[Any, Any]], Any]
) -> None:
    """Terminated or cancelled from outside, the workflow takes the call with it, though its attempt is not found."""
    world, handle = await begun(play, lingering)
    await end(handle)
    await asyncio.wait_for(lingering.stopped.wait(), PATIENCE)
    world.handles.clear()  # it has no end of its own


async def test_two_attempts_at_the_same_work_are_one() -> None:
    """Who comes later waits for what is under way; when it is done, the next one begins anew."""
    underway, leave, begun = Underway(), asyncio.Event(), list[int]()

    async def work() -> int:
        begun.append(len(begun))
        await leave.wait()
        return begun[-1]

    attempts = [asyncio.create_task(underway.bring_to_end("key", work)) for _ in range(2)]
    other = asyncio.create_task(underway.bring_to_end("other", work))
    while len(begun) < 2:
        await asyncio.sleep(0)
    leave.set()
    assert await asyncio.gather(*attempts, other) == [1, 1, 1]
    assert begun == [0, 1]
    assert await underway.bring_to_end("key", work) == 2
