"""Blows at random moments; `make chaos` deals more of them."""

import random
from pathlib import Path

from tests.acceptance.servers import Servers
from tests.chaos.chance import struck_at_random

KILLS = 5
THREADS = 5


async def test_threads_end_right_whatever_is_struck_meanwhile(servers: Servers, tmp_path: Path) -> None:
    """All of them end, and all that holds of every thread holds of each of them."""
    seed = random.SystemRandom().randrange(1_000_000)
    verdicts, blows = await struck_at_random(servers, tmp_path, seed, KILLS, THREADS)
    replay = f"make chaos CASE=random SEED={seed} KILLS={KILLS} THREADS={THREADS}"
    assert {each.case: each.violations for each in verdicts if not each.ok} == {}, replay
    assert len(verdicts) == THREADS
    assert 0 < blows.kills + blows.stalls + blows.others <= KILLS
