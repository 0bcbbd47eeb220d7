"""The measurement of budgets, at a size that takes a moment. How fast anything is, no test says."""

from bench import budgets
from tests.conftest import Database


async def test_money_is_set_aside_beside_as_many_appends(database: Database) -> None:
    """Each way has a time in each round, and its times of the bare appends of that round."""
    results = await budgets.compare(database.url, callers=2, rounds=2, seconds=0.02)
    assert [result.way for result in results] == [budgets.PLAIN, budgets.SHARED, budgets.APART]
    assert all(len(result.seconds) == 2 and min(result.seconds) > 0 for result in results)
    assert results[0].times == [1.0, 1.0]
