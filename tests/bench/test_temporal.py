"""The measurements beside bare Temporal work, at a size that takes a moment. How fast anything is, no test says."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench import conversation, history, throughput, turn, waiting
from bench.goals import at_least, at_most
from bench.model import Plan
from bench.system import System, system
from tests.conftest import Database

TURNS = 2


@pytest.fixture
async def here(temporal_server: str, database: Database, tmp_path: Path) -> AsyncIterator[System]:
    """Both workers, on the tests' servers."""
    async with system(temporal_server, database.url, tmp_path) as started:
        yield started


async def test_turns_of_every_kind_are_timed(here: System) -> None:
    """Each way has a time in each round, and its times of the bare activities of that round."""
    results = await turn.compare(here, turns=TURNS, rounds=1)
    floors = turn.FLOOR.values()
    assert {result.way for result in results} == {turn.BARE, turn.REGULAR, turn.QUICK, *floors}
    assert all(result.seconds[0] > 0 and result.times[0] > 0 for result in results)
    assert results[0].times == [1.0]


async def test_threads_are_counted_beside_as_many_activities(here: System) -> None:
    """Both ways end, and took some time."""
    [(plain, ours)] = await throughput.compare(here, threads=2, turns=TURNS, rounds=1)
    assert plain > 0
    assert ours > 0


async def test_a_thread_has_as_many_activities_as_its_baseline(here: System) -> None:
    """What is compared is the same number of activities."""
    counts = []
    for handle in (
        await here.start_bare("bare-counted", throughput.activities_of(TURNS)),
        await here.start("thread-counted", Plan(TURNS, "look_up", 10)),
    ):
        await handle.result()
        events = (await handle.fetch_history()).events
        counts.append(sum(event.HasField("activity_task_completed_event_attributes") for event in events))
    assert counts == [throughput.activities_of(TURNS)] * 2


async def test_history_is_counted_over_everything_a_thread_left(here: System) -> None:
    """A turn leaves more than two bare activities do, and a quick tool's less than another's."""
    left = await history.measure(here, TURNS)
    assert left[history.BARE].size < left[history.QUICK].size < left[history.REGULAR].size
    assert all(each.runs == 1 for each in left.values())


async def test_a_conversation_is_held_to_its_end(here: System) -> None:
    """The tokens are those of the last request, and the requests together are more than what Temporal keeps."""
    result = await conversation.hold(here, calls=TURNS)
    assert result.tokens > TURNS * 8000 / 4
    assert result.events == 4 * TURNS + 5
    assert result.requested > 8000


@pytest.mark.parametrize("kind", waiting.KINDS)
async def test_what_waits_is_counted_when_it_waits(here: System, kind: str) -> None:
    """Memory is read with every one of them waiting."""
    idle, resident = await waiting.taken(here, kind, threads=2)
    assert min(idle, resident) > sys.getsizeof(here)


def test_a_goal_says_whether_it_is_met() -> None:
    """What is small meets one kind of goal, what is large the other."""
    assert at_most("bytes", 1999.0, 2000) == "met    bytes: 1,999.00; goal ≤ 2,000"
    assert at_most("bytes", 2001.0, 2000).startswith("MISSED ")
    assert at_least("times", 0.85, 0.85).startswith("met ")
    assert at_least("times", 0.84, 0.85).startswith("MISSED ")
