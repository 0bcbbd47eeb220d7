"""Whatever is struck, whenever: conversations of all kinds of steps, and blows at random moments.

The seed plays the same conversations and the same blows again; what they meet is up to the machine.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from temporalio.service import RPCError

from cli.verification.verifier import Verifier
from eventlog.log import LogUnavailable
from stack.postgres import ADMIN
from stack.scripted.answers import Answer, Broken, Fault, Reply, ToolUse
from stack.scripted.playbook import Step
from stack.server import Server
from tests.acceptance.invariants import broken, heard, unreplayable
from tests.acceptance.servers import Servers, freeze, kill, thaw
from tests.acceptance.stage import Handle, Stage, opening_of, staged
from tests.acceptance.worker_process import DidNotStart, WorkerProcess
from tests.chaos.database import crowd, make_room, refuse, take_again
from tests.chaos.verdict import Verdict, findings, of, succeeded, untrue, verifying

WORKERS = 2
LONGEST_PEACE = 2.0
"""Seconds between two blows, and for which servers are away."""
LONGEST_STALL = 12.0
"""Seconds for which a worker is frozen: after eight it is taken for dead."""
TOOLS = ("look", "glance", "put", "fire", "book", "launch")
VICTIMS = ("worker", "worker", "postgres", "temporal", "both")
HOWS: Mapping[str, Sequence[str]] = {
    "worker": ("kill", "kill", "stall", "stop"),
    "postgres": ("kill", "kill", "stall", "refuse", "crowd"),
    "temporal": ("kill", "kill", "stall"),
    "both": ("kill", "kill", "stall"),
}


@dataclass
class Blows:
    """What was struck, and when the threads had everything again that they need to move."""

    kills: int = 0
    stalls: int = 0
    others: int = 0
    since: list[datetime] = field(default_factory=list)

    def note(self, how: str) -> None:
        """One more is over."""
        self.kills += how == "kill"
        self.stalls += how == "stall"
        self.others += how not in {"kill", "stall"}
        self.since.append(datetime.now(UTC))


class Fate:
    """Everything that is left to chance, in one place and with a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.blows = Blows()

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

    async def strike(self, stage: Stage) -> None:
        """Let some time pass, strike something, and let it lie for a while where nobody else starts it again."""
        await asyncio.sleep(self._random.uniform(0, LONGEST_PEACE))
        victim = self._random.choice(VICTIMS)
        how = self._random.choice(HOWS[victim])
        luck, away = self._random.random(), self._random.uniform(0, LONGEST_PEACE)
        if victim == "worker":
            await self._strike_worker(stage, how, luck)
        elif how in {"refuse", "crowd"}:
            await self._strike_database(stage, how, away)
        else:
            await self._strike_servers(stage, victim, how, away)

    async def _strike_worker(self, stage: Stage, how: str, luck: float) -> None:
        alive = [worker for worker in stage.workers if worker.alive]
        if not alive:
            return
        worker = alive[int(luck * len(alive))]
        match how:
            case "kill":
                await worker.kill()
            case "stop":
                worker.terminate()
            case _:
                worker.freeze()
                asyncio.get_running_loop().call_later(luck * LONGEST_STALL, worker.thaw)
        self.blows.note(how)

    async def _strike_database(self, stage: Stage, how: str, away: float) -> None:
        """It stays, and takes nothing new or keeps no connection."""
        url = stage.servers.postgres.url(ADMIN)
        await (refuse(url) if how == "refuse" else crowd(url))
        try:
            await asyncio.sleep(away)
        finally:
            await (take_again(url) if how == "refuse" else make_room(url, away / 2))
        self.blows.note(how)

    async def _strike_servers(self, stage: Stage, victim: str, how: str, away: float) -> None:
        servers = stage.servers
        there: dict[str, tuple[Server, ...]] = {
            "postgres": (servers.postgres,),
            "temporal": (servers.temporal,),
            "both": (servers.postgres, servers.temporal),
        }
        (kill if how == "kill" else freeze)(*there[victim])
        try:
            await asyncio.sleep(away)
        finally:
            thaw(*there[victim])
        await servers.start()
        self.blows.note(how)


@asynccontextmanager
async def crewed(stage: Stage) -> AsyncIterator[None]:
    """There are always workers, or new ones on their way; and somebody who allows whatever is asked."""

    async def man() -> None:
        while True:
            with suppress(DidNotStart):
                await _until_ended(await stage.hire())

    tasks = [asyncio.create_task(man()) for _ in range(WORKERS)] + [asyncio.create_task(_allow_all(stage))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [each for each in ended if isinstance(each, Exception)]
        if wrong:
            raise ExceptionGroup("whoever looks after the threads has gone", wrong)


async def _until_ended(worker: WorkerProcess) -> None:
    while worker.alive:
        with suppress(TimeoutError):
            await worker.ended()


async def _allow_all(stage: Stage) -> None:
    """Answer every question once; a server that is away is asked again."""
    allowed: set[tuple[str, str]] = set()
    while True:
        await asyncio.sleep(0.2)
        for handle in list(stage.handles):
            with suppress(RPCError, LogUnavailable):
                await _allow(stage, handle, allowed)


async def _allow(stage: Stage, handle: Handle, allowed: set[tuple[str, str]]) -> None:
    for call in (await stage.session(handle.id)).waiting_for_answer:
        if (handle.id, call.id) not in allowed:
            await handle.signal("approve", {"call_id": call.id, "approver": "ana"})
            allowed.add((handle.id, call.id))


async def struck_at_random(
    servers: Servers, folder: Path, seed: int, blows: int, threads: int
) -> tuple[list[Verdict], Blows]:
    """What came of threads in which so many blows fell, and of the blows."""
    fate = Fate(seed)
    plays = fate.plays(threads)
    async with staged(servers, folder, plays) as stage, crewed(stage):
        handles = [await stage.start(opening) for opening in plays]
        for _ in range(blows):
            await fate.strike(stage)
        await asyncio.gather(*(stage.done(handle) for handle in handles))
        return await _verdicts(stage, fate.blows), fate.blows


async def _verdicts(stage: Stage, blows: Blows) -> list[Verdict]:
    async with verifying(stage) as verifier:
        return [await _verdict(stage, verifier, handle, blows) for handle in stage.handles]


async def _verdict(stage: Stage, verifier: Verifier, handle: Handle, blows: Blows) -> Verdict:
    story = await heard(stage, handle)
    violations = [
        *broken(story),
        *succeeded(story),
        *untrue(story, failures=True),
        *await unreplayable(handle),
        *await findings(verifier, handle),
    ]
    return of(f"random/{opening_of(story.requests[0])}", story, violations, blows.since)
