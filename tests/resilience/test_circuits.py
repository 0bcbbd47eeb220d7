"""Circuits in the database: who opens them, who makes the probe, and what is written down of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import psycopg

from resilience.circuits import Circuits
from resilience.postgres import PostgresStore
from resilience.store import Circuit, CircuitTerms
from tests.conftest import Database

LONG = CircuitTerms(failures=3, ratio=0.5, window=3600, open=1000, longest=3000, probe=1000)
AT_ONCE = replace(LONG, open=0.0)
"""Open for no time: the next who comes makes the probe."""
NAME = "anthropic/claude-1"


async def fail(store: PostgresStore, times: int, terms: CircuitTerms = LONG, who: str = "a", successes: int = 0) -> str:
    """So many failures, one after the other; what the circuit is then."""
    state = "closed"
    for _ in range(times):
        state = await store.failed(NAME, who, "overloaded: Overloaded", terms, successes=successes)
    return state


async def test_failures_in_a_row_open_it(store: PostgresStore) -> None:
    """So many as the terms say, and not one less; then nobody may ask, and it is known since when and why."""
    assert await fail(store, 2) == "closed"
    assert await store.enter(NAME, "a", LONG) == 0
    assert await fail(store, 1) == "open"
    assert 900 < await store.enter(NAME, "b", LONG) <= 1000
    [circuit] = await store.troubled()
    assert (circuit.name, circuit.state, circuit.why) == (NAME, "open", "overloaded: Overloaded")
    [change] = await store.changes(10)
    assert (change.name, change.before, change.after, change.why) == (NAME, "closed", "open", "overloaded: Overloaded")
    assert change.at == circuit.since


async def test_successes_count_against_failures(store: PostgresStore) -> None:
    """Where more than half of the calls succeed, it stays closed, however many fail."""
    assert await fail(store, 20, successes=2) == "closed"
    assert await fail(store, 19) == "closed"
    assert await fail(store, 1) == "open", "40 failures, 40 successes"


async def test_failures_of_long_ago_are_forgotten(store: PostgresStore) -> None:
    """A window that is over is counted no more."""
    assert await fail(store, 50, replace(LONG, window=0.0)) == "closed"


async def test_of_many_one_alone_makes_the_probe(store: PostgresStore, database: Database) -> None:
    """However many come at once, over however many connections."""
    assert await fail(store, 3, AT_ONCE) == "open"
    waits = await asyncio.gather(*(store.enter(NAME, f"thread-{number}", LONG) for number in range(30)))
    assert sum(wait == 0 for wait in waits) == 1
    prober = f"thread-{[wait == 0 for wait in waits].index(True)}"
    assert await store.enter(NAME, prober, LONG) == 0, "whoever makes the probe may come again for it"
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        rows = await connection.execute("select count(*) from perdure.circuit_changes where after = 'half_open'")
        assert await rows.fetchone() == (1,)


async def test_a_probe_that_succeeds_closes_it(store: PostgresStore) -> None:
    """Only the one who makes it: what others began before says nothing."""
    await fail(store, 3, AT_ONCE)
    assert await store.enter(NAME, "b", LONG) == 0
    await store.succeeded(NAME, "a", 5)
    assert [each.state for each in await store.troubled()] == ["half_open"]
    await store.succeeded(NAME, "b", 1)
    assert not await store.troubled()
    assert [(change.before, change.after) for change in await store.changes(10)] == [
        ("half_open", "closed"),
        ("open", "half_open"),
        ("closed", "open"),
    ]


async def test_a_probe_that_fails_opens_it_for_longer(store: PostgresStore) -> None:
    """Twice as long each time, and no longer than the longest; a late failure of another changes nothing."""
    await fail(store, 3, AT_ONCE)
    for longest in (2000, 3000, 3000):
        assert await store.enter(NAME, "b", LONG) == 0
        assert await fail(store, 1, who="a") == "half_open"
        assert await fail(store, 1, who="b") == "open"
        wait = await store.enter(NAME, "b", LONG)
        assert longest - 100 < wait <= longest
        await _make_due(store)


async def _make_due(store: PostgresStore) -> None:
    """As if the time were over for which it is open."""
    await store._statements.rows("UPDATE perdure.circuits SET open_until = now() RETURNING name")


async def test_a_probe_that_tells_nothing_is_left_to_another(store: PostgresStore) -> None:
    """And one that was never made is waited for no longer than the terms say."""
    await fail(store, 3, AT_ONCE)
    assert await store.enter(NAME, "b", LONG) == 0
    assert await store.enter(NAME, "c", LONG) > 0
    await store.left(NAME, "b")
    assert await store.enter(NAME, "c", replace(LONG, probe=0.0)) == 0
    assert await store.enter(NAME, "d", LONG) == 0


async def test_a_person_can_close_it(store: PostgresStore) -> None:
    """One or all; what was done, and by whom, is written down."""
    await fail(store, 3)
    await store.slowed("other", 1000)
    assert await store.reset("none", "ana") == []
    assert await store.reset(NAME, "ana") == [NAME]
    assert await store.enter(NAME, "b", LONG) == 0
    assert (await store.changes(1))[0].why == "closed by ana"
    assert await store.reset(None, "ana") == ["other"]
    assert not await store.troubled()


async def test_what_a_provider_asks_of_one_holds_for_all(store: PostgresStore) -> None:
    """Its word to wait is heard by whoever would ask the same model; a shorter one does not take a longer back."""
    await store.slowed(NAME, 1000)
    await store.slowed(NAME, 1)
    delay = await Circuits(store, LONG).delay(["anthropic", NAME], "b")
    assert delay is not None
    assert delay.what == NAME
    assert 900 < delay.seconds <= 1000
    assert await Circuits(store, LONG).delay(["anthropic", "anthropic/other"], "b") is None


async def test_while_all_is_well_a_process_looks_once_a_second(store: PostgresStore) -> None:
    """A thousand calls in one second cost one statement."""
    looks = []

    class Counted(PostgresStore):
        async def troubled(self) -> Sequence[Circuit]:
            looks.append(1)
            return await super().troubled()

    now = [0.0]
    circuits = Circuits(Counted(store._statements), LONG, clock=lambda: now[0])
    for _ in range(1000):
        assert await circuits.delay(["anthropic", NAME], "a") is None
        await circuits.succeeded(["anthropic", NAME], "a")
    assert len(looks) == 1
    now[0] = 1.5
    await circuits.delay(["anthropic", NAME], "a")
    assert len(looks) == 2


async def test_two_processes_see_one_circuit(store: PostgresStore) -> None:
    """What one was told counts for the other; one probes, and when it succeeds, both go on."""
    clock = [0.0]
    one, other = (Circuits(store, replace(AT_ONCE, failures=4), clock=lambda: clock[0]) for _ in range(2))
    for circuits in (one, other, one, other):
        assert await circuits.delay([NAME], "x") is None
        await circuits.failed(NAME, "x", "timeout: none")
    assert await one.delay([NAME], "first") is None
    delay = await other.delay([NAME], "second")
    assert delay is not None
    assert delay.seconds <= 10, "it may be over soon"
    await one.succeeded([NAME], "first")
    clock[0] += 2
    assert await other.delay([NAME], "second") is None


async def test_a_database_that_is_away_keeps_nobody(database: Database, store: PostgresStore) -> None:
    """Circuits are help, not leave: without them calls are made, and nothing fails that would not."""
    circuits = Circuits(store, LONG)
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("alter table perdure.circuits rename to gone")
    assert await circuits.delay([NAME], "a") is None
    await circuits.failed(NAME, "a", "timeout: none")
    await circuits.succeeded([NAME], "a")
