"""What `make chaos` tells at its end."""

import json

from tests.chaos.report import Report
from tests.chaos.verdict import Verdict

RIGHT = Verdict("worker/kill/after-effect/idempotent", (), effects=2, unknowns=0, moved=(8.0,))
WRONG = Verdict(
    "worker/kill/after-effect/unsafe", ("no effect is doubled: twice",), effects=2, unknowns=1, moved=(10.0,)
)
BY_CHANCE = Verdict("random/chaos-1", ("positions are contiguous: no",), effects=0, unknowns=0)


def test_a_broken_promise_is_told_with_the_command_that_plays_it_again() -> None:
    """One case of the matrix is named whole; what chance did is played again as a whole."""
    report = Report(7, 20, 8, [RIGHT, WRONG, BY_CHANCE])
    said = "\n".join(report.lines())
    assert not report.ok
    assert "BROKEN worker/kill/after-effect/unsafe: no effect is doubled: twice" in said
    assert "make chaos SEED=7 CASE=worker/kill/after-effect/unsafe\n" in said
    assert "make chaos SEED=7 CASE=random KILLS=20 THREADS=8" in said
    assert "1 ended right, 2 did not; 4 effects in the ledger, 1 outcomes unknown" in said


def test_threads_that_moved_again_are_told_by_blow() -> None:
    """Median and 95th percentile of the seconds, in words and as JSON; what did not have to move is not in them."""
    report = Report(7, 20, 8, [RIGHT, WRONG, BY_CHANCE])
    assert report.moved == {"worker/kill": [8.0, 10.0], "random": []}
    told = json.loads(report.json())
    assert told["moved_seconds"]["worker/kill"] == {"recoveries": 2, "median": 9.0, "p95": 9.9}
    assert (told["ok"], len(told["verdicts"])) == (False, 3)


def test_nothing_played_is_nothing_proven() -> None:
    """A run without a thread is not reported as a success, nor one in which something else went wrong."""
    assert not Report(7, 20, 8).ok
    assert not Report(7, 20, 8, [RIGHT], problems=["no server started"]).ok
    assert Report(7, 20, 8, [RIGHT]).ok
