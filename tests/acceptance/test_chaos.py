"""Whatever dies, whenever: threads of all kinds of steps, and kills at random moments.

`CHAOS_SEED` plays one again as far as chance is in our hands, `CHAOS_KILLS` and `CHAOS_THREADS` make it longer.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from temporalio.service import RPCError

from eventlog.log import LogUnavailable
from stack.scripted.answers import Answer, Broken, Fault, Reply, ToolUse
from stack.scripted.playbook import Step
from tests.acceptance.invariants import told
from tests.acceptance.servers import Servers, kill
from tests.acceptance.stage import Handle, Stage, staged
from tests.acceptance.worker_process import DidNotStart

SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
KILLS = int(os.environ.get("CHAOS_KILLS", "8"))
THREADS = int(os.environ.get("CHAOS_THREADS", "6"))
WORKERS = 2
LONGEST_PEACE = 2.0
"""Seconds between two kills at most."""
TOOLS = ("look", "glance", "put", "fire", "book", "launch")


class Fate:
    """Everything that is left to chance, in one place and with a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def plays(self, threads: int) -> dict[str, Sequence[Step]]:
        """A conversation of several rounds for each thread."""
        return {f"chaos-{number}": self._play(f"{number}") for number in range(threads)}

    def _play(self, name: str) -> Sequence[Step]:
        rounds = self._random.randint(2, 4)
        return [*(self._round(f"{name}-{index}") for index in range(rounds)), Reply.text("done")]

    def _round(self, name: str) -> Step:
        calls: list[ToolUse] = [
            (self._random.choice(TOOLS), {}, f"{name}-{index}") for index in range(self._random.randint(1, 3))
        ]
        reply = Reply.tools(*calls, text="word " * 10).at_pace(self._random.uniform(0, 0.1), chunk=10)
        trouble: list[Answer] = self._random.choice([[], [], [Fault(529, retry_after=0.1)], [Broken(4)]])
        return [*trouble, reply]

    async def peace(self) -> None:
        """Let some time pass."""
        await asyncio.sleep(self._random.uniform(0, LONGEST_PEACE))

    async def strike(self, stage: Stage) -> None:
        """Kill something, and let it lie for a while where nobody else starts it again."""
        victim = self._random.choice(["worker", "worker", "postgres", "temporal", "both"])
        servers = stage.servers
        match victim:
            case "worker":
                alive = [worker for worker in stage.workers if worker.alive]
                if alive:
                    await self._random.choice(alive).kill()
                return
            case "postgres":
                kill(servers.postgres)
            case "temporal":
                kill(servers.temporal)
            case _:
                kill(servers.postgres, servers.temporal)
        await self.peace()
        await servers.start()


@asynccontextmanager
async def crewed(stage: Stage) -> AsyncIterator[None]:
    """There are always workers, or new ones on their way; and somebody who allows whatever is asked."""

    async def man() -> None:
        while True:
            with suppress(DidNotStart):
                await (await stage.hire()).ended()

    tasks = [asyncio.create_task(man()) for _ in range(WORKERS)] + [asyncio.create_task(_allow_all(stage))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [each for each in ended if not isinstance(each, asyncio.CancelledError)]


async def _allow_all(stage: Stage) -> None:
    """Answer every question once; a server that is away is asked again."""
    allowed: set[str] = set()
    while True:
        await asyncio.sleep(0.2)
        for handle in list(stage.handles):
            with suppress(RPCError, LogUnavailable):
                await _allow(stage, handle, allowed)


async def _allow(stage: Stage, handle: Handle, allowed: set[str]) -> None:
    for call in (await stage.session(handle.id)).waiting_for_answer:
        if call.id not in allowed:
            await handle.signal("approve", {"call_id": call.id, "approver": "ana"})
            allowed.add(call.id)


@pytest.mark.timeout(120 + 15 * KILLS)
async def test_threads_end_right_whatever_dies_meanwhile(servers: Servers, tmp_path: Path) -> None:
    """All of them end, and all that holds of every thread holds of each of them."""
    print(f"CHAOS_SEED={SEED} CHAOS_KILLS={KILLS} CHAOS_THREADS={THREADS}")  # noqa: T201 - shown where it fails
    fate = Fate(SEED)
    plays = fate.plays(THREADS)
    async with staged(servers, tmp_path, plays) as stage, crewed(stage):
        handles = [await stage.start(opening) for opening in plays]
        for _ in range(KILLS):
            await fate.peace()
            await fate.strike(stage)
        stories = [await told(stage, handle) for handle in handles]
    assert {story.outcome["reason"] for story in stories} == {"success"}
