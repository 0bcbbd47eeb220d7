"""Gates in the database: what they let through, how long the others wait, and that nobody is starved."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from resilience.postgres import PostgresStore
from resilience.store import Pass
from tests.conftest import Database

ROOT = Path(__file__).parents[2]

HOUR = 3600.0
"""What one call costs, in these tests: so long that no time passes while they run."""


def ask(gate: str = "g", *, flow: str = "acme", burst: float = 1, cost: float = 1) -> Pass:
    """So many calls of so many at once, each an hour of the gate."""
    return Pass(gate, burst * HOUR, cost * HOUR, flow)


async def come(store: PostgresStore, *asked: Pass, ticket: str, patience: float = HOUR / 2) -> int:
    """In how many hours the call may be made."""
    delay = await store.pass_(asked, ticket, patience)
    return round(delay.seconds / HOUR) if delay else 0


async def test_so_much_as_the_burst_passes_at_once(store: PostgresStore) -> None:
    """And of many who come together, over many connections, exactly so many."""
    waits = await asyncio.gather(*(come(store, ask(burst=10), ticket=f"t{number}") for number in range(40)))
    assert sum(wait == 0 for wait in waits) == 10
    assert sorted(waits) == [0] * 10 + list(range(1, 31)), "everybody else is told another moment"


async def test_who_comes_again_keeps_the_place(store: PostgresStore) -> None:
    """Asking often is no use, and no harm."""
    assert [await come(store, ask(), ticket=f"t{number}") for number in range(4)] == [0, 1, 2, 3]
    assert [await come(store, ask(), ticket=f"t{number}") for number in (3, 2, 1, 3)] == [3, 2, 1, 3]


async def test_a_tenant_with_many_calls_does_not_hold_up_another(store: PostgresStore) -> None:
    """However many wait, the first call of another tenant is next, and from then on they take turns."""
    for number in range(50):
        await come(store, ask(flow="hog"), ticket=f"hog-{number}")
    waits = [await come(store, ask(flow="small"), ticket=f"small-{number}") for number in range(3)]
    assert waits == [1, 3, 5]
    assert await come(store, ask(flow="third"), ticket="third") == 1


async def test_who_is_served_does_not_lose_the_turn(store: PostgresStore) -> None:
    """A tenant that asks for one call after the other gets as many as one that asks for all of them at once."""
    served = {"hog": 0, "small": 0}
    for number in range(30):
        await come(store, ask(flow="hog"), ticket=f"hog-{number}")
    waiting = {f"hog-{number}": "hog" for number in range(1, 30)} | {"small-0": "small"}
    for _ in range(20):
        await _an_hour_later(store)
        for ticket in sorted(waiting):
            if await come(store, ask(flow=waiting[ticket]), ticket=ticket) == 0:
                served[waiting[ticket]] += 1
                if waiting.pop(ticket) == "small":
                    waiting[f"small-{served['small']}"] = "small"
    assert served["hog"] + served["small"] == 20
    assert abs(served["hog"] - served["small"]) <= 2


async def _an_hour_later(store: PostgresStore) -> None:
    """As if an hour had gone by."""
    await store._statements.rows("UPDATE perdure.gates SET paid_at = paid_at - interval '1 hour' RETURNING name")
    await store._statements.rows("UPDATE perdure.gate_queue SET due = due - interval '1 hour' RETURNING gate")


async def test_all_gates_or_none(store: PostgresStore) -> None:
    """A call that one gate holds back takes nothing from the others."""
    assert await come(store, ask("narrow"), ticket="first") == 0
    for number in range(5):
        assert await come(store, ask("wide", burst=3), ask("narrow"), ticket=f"t{number}") == number + 1
    assert [await come(store, ask("wide", burst=3), ticket=f"w{number}") for number in range(4)] == [0, 0, 0, 1]


async def test_who_does_not_come_back_holds_nobody_up(store: PostgresStore) -> None:
    """A call whose worker died is waited for a moment only."""
    assert await come(store, ask(), ticket="first") == 0
    assert await come(store, ask(), ticket="dead") == 1
    assert await come(store, ask(), ticket="alive") == 2
    assert await come(store, ask(), ticket="alive", patience=-2 * HOUR) == 1, "overdue"


async def test_what_costs_more_than_the_burst_passes_alone(store: PostgresStore) -> None:
    """A call larger than what may be owed is not held for ever; what comes after pays for it."""
    assert await come(store, ask(cost=5), ticket="large") == 0
    assert await come(store, ask(cost=5), ticket="next") == 5


async def test_what_was_not_used_is_given_back(store: PostgresStore) -> None:
    """And what was used beyond what was thought is owed."""
    assert await come(store, ask(cost=5), ticket="large") == 0
    await store.settle([("g", -3 * HOUR)])
    assert await come(store, ask(), ticket="t1") == 2
    await store.settle([("g", 2 * HOUR)])
    assert await come(store, ask(), ticket="t1") == 4


async def test_gates_of_long_ago_are_swept_away(store: PostgresStore) -> None:
    """A gate for each thread does not grow for ever."""
    rounds: Sequence[int] = range(5)
    for number in rounds:
        await store.pass_([Pass(f"old/{number}", 1.0, 0.001, "a")], "t", 1.0)
    await store._statements.rows("UPDATE perdure.gates SET paid_at = now() - interval '2 hours' RETURNING name")
    await store.pass_([Pass("new", 1.0, 0.001, "a")], "t", 1.0)
    assert await store._statements.rows("SELECT name FROM perdure.gates") == [("new",)]


async def test_a_limit_holds_across_processes(database: Database) -> None:
    """However many workers there are, together they are let through as often as one alone."""

    async def process(name: str) -> int:
        command = (sys.executable, "-m", "tests.resilience.hammer", database.url, name, "20")
        running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        told, _ = await running.communicate()
        return int(told)

    assert sum(await asyncio.gather(*map(process, ("one", "two", "three")))) == 10
