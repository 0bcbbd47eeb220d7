"""Payments that people must allow, while they answer at random, questions expire, and workers are killed."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from projections.invariants.catalogue import breaches
from tests.acceptance.consent_rules import STARTER, policy
from tests.acceptance.crowd import KEY, Crowd
from tests.acceptance.invariants import Story, broken, heard, unreplayable
from tests.acceptance.leave import unallowed
from tests.acceptance.servers import Servers
from tests.acceptance.stage import Stage, staged
from tests.chaos.verdict import findings, verifying

THREADS = 3
PEOPLE = 3
ANSWERS = 10
"""Of each of them."""
KILLS = 2
SEED = os.environ.get("SEED")
"""Played again where it is given; otherwise another one every time."""


async def test_no_payment_without_enough_people_whatever_happens_meanwhile(servers: Servers, tmp_path: Path) -> None:
    """Each is made once, after exactly one sufficient word for these very arguments, and all that must hold holds."""
    seed = int(SEED) if SEED else random.SystemRandom().randrange(1_000_000)
    (tmp_path / "pay.yaml").write_text(policy())
    async with staged(servers, tmp_path, Crowd.plays(seed, THREADS)) as stage:
        stage.besides |= {"PERDURE_POLICIES": str(tmp_path), "PERDURE_APPROVAL_KEY": KEY.get_secret_value()}
        stories = await _played(stage, seed)
        wrong = {thread: each async for thread, each in _all_wrong(stage, stories)}
    assert {thread: each for thread, each in wrong.items() if each} == {}, f"SEED={seed}"
    assert any(story.acted for story in stories.values()), f"SEED={seed}"


async def _played(stage: Stage, seed: int) -> Mapping[str, Story]:
    """Every thread's story, after all that happened by chance."""
    chance = random.Random(f"{seed}/blows")
    await stage.hire()
    handles = [
        await stage.start(f"consent-{number}", principal=STARTER, policy="pay", approval_timeout=30)
        for number in range(THREADS)
    ]
    crowd = [Crowd(stage, random.Random(f"{seed}/{number}")) for number in range(PEOPLE)]
    await asyncio.gather(_killed(stage, chance), *(each.answer(handles, ANSWERS) for each in crowd))
    await asyncio.gather(*(crowd[0].settle(handle) for handle in handles))
    return {handle.id: await heard(stage, handle) for handle in handles}


async def _killed(stage: Stage, chance: random.Random) -> None:
    """One worker after another is killed, and missed for a moment."""
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.5, 2))
        await stage.workers[-1].kill()
        await asyncio.sleep(chance.uniform(0, 0.5))
        await stage.hire()


async def _all_wrong(stage: Stage, stories: Mapping[str, Story]) -> AsyncIterator[tuple[str, list[str]]]:
    async with verifying(stage) as verifier:
        for handle in stage.handles:
            story = stories[handle.id]
            replayed, found = await unreplayable(handle), await findings(verifier, handle)
            yield handle.id, [*_wrong(story), *broken(story), *replayed, *found]


def _wrong(story: Story) -> Iterator[str]:
    """What was paid twice or without leave, and what breaks a rule of streams."""
    yield from (f"{each.invariant} at {each.position}: {each.problem}" for each in breaches(story.recorded))
    for call, times in Counter(line.call for line in story.acted).items():
        if times > 1:
            yield f"{call} was paid {times} times"
    for line in story.acted:
        problem = unallowed(story.events, line.call, json.loads(line.said))
        if problem is not None:
            yield problem
