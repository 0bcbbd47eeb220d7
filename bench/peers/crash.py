"""What becomes of a thread whose process is killed in the middle of a call, and is started again at once."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Literal

from bench.peers.stage import LOOK_EVERY, Process, Stage, begin, end, finish, notes_of
from bench.peers.ways import Way
from bench.peers.work import HELD, Note, Work

TURNS = 5
SIZE = 2_000
AT_ONCE = 3
"""Threads that are being waited for at the same time: they mostly wait for time-outs."""
PATIENCE = 150.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """How a thread went on."""

    way: Way
    killed_in: Literal["model", "tool"]
    effects: int
    """How often the call's effect happened; for the model, how often it was asked in that turn."""
    moved_after: float | None
    """Seconds from the kill to the next call of model or tool; None where there was none."""
    ended: bool
    """Whether the thread came to its answer."""


async def crashes(stage: Stage, ways: tuple[Way, ...], killed_in: Literal["model", "tool"]) -> list[Recovered]:
    """Kill each way's process in the middle of such a call."""
    turnstile = asyncio.Semaphore(AT_ONCE)

    async def one(way: Way) -> Recovered:
        async with turnstile:
            return await _crash(stage, way, killed_in)

    return list(await asyncio.gather(*(one(way) for way in ways)))


async def _crash(stage: Stage, way: Way, killed_in: Literal["model", "tool"]) -> Recovered:
    work = stage.work(way, f"crash-{killed_in}", TURNS, SIZE)
    what: Literal["asked", "acted"] = "asked" if killed_in == "model" else "acted"
    victim = await begin(way, replace(work, hold=killed_in))
    try:
        await _until_held(victim, work, what)
    finally:
        await victim.kill()
    killed = time.time()
    how = await finish(await begin(way, work), work, PATIENCE, stalled=PATIENCE)
    notes = notes_of(work)
    await end(stage, way, work)
    return Recovered(
        way=way,
        killed_in=killed_in,
        effects=sum((note.what, note.turn) == (what, HELD) for note in notes),
        moved_after=next((note.at - killed for note in notes if _after(note, killed)), None),
        ended=how == "ended",
    )


def _after(note: Note, killed: float) -> bool:
    return note.at > killed and note.what != "ended"


async def _until_held(process: Process, work: Work, what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any((note.what, note.turn) == (what, HELD) for note in notes_of(work)):
            if not process.running:
                raise AssertionError(f"{work.thread} ended before it could be killed: {process.last_words}")
            await asyncio.sleep(LOOK_EVERY)
