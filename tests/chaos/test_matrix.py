"""Some of the crash matrix; `make chaos` plays all of it."""

import pytest

from tests.acceptance.servers import Servers
from tests.chaos.cases import CASES, COMPANIES, EXTRA, HOWS, KINDS, MOMENTS, VICTIMS, NoSuchCase, chosen, together
from tests.chaos.run import struck
from tests.chaos.situations import SITUATIONS
from tests.chaos.strikes import STRIKES

SEED = 1


@pytest.mark.parametrize(
    "names",
    [
        ["worker/stall/after-intent", "worker/stall/terminated"],
        ["temporal/kill/continue-as-new", "temporal/kill/after-outcome", "temporal/kill/approval"],
        ["postgres/kill/batch-commit"],
        [
            *("all/kill/two-votes/unsafe", "all/kill/expired/unsafe", "all/kill/question", "all/kill/unsettled"),
            *("all/kill/standing-in", "all/kill/interrupted-tool/unsafe"),
        ],
    ],
    ids=" ".join,
)
async def test_every_promise_is_kept(servers: Servers, names: list[str]) -> None:
    """Threads with every kind of tool, struck at these moments, end right, and the ledger agrees with the log."""
    cases = [case for name in names for case in chosen(name)]
    verdicts = await struck(servers, cases, SEED)
    assert [each.case for each in verdicts] == [str(case) for case in cases]
    assert {each.case: each.violations for each in verdicts if not each.ok} == {}


def test_a_case_is_named_whole_or_by_its_beginning() -> None:
    """So that one that failed can be played again alone; a name that is none is refused."""
    assert {case.blow.victim for case in chosen("worker")} == {"worker"}
    assert [str(case) for case in chosen("worker/kill/after-effect/unsafe")] == ["worker/kill/after-effect/unsafe"]
    with pytest.raises(NoSuchCase, match="before-intent"):
        chosen("worker/kill/never")


def test_no_case_is_left_out() -> None:
    """Every victim, both hows, every moment and every kind of tool: each case is in one blow, and has its situation."""
    together_ = [case for group in together(chosen()) for case in group]
    assert len(together_) == len(set(together_)) == len(CASES)
    assert len(VICTIMS) * len(HOWS) * len(MOMENTS) * len(KINDS) <= len(CASES)
    further = {moment for moments in COMPANIES.values() for moment in moments}
    assert {case.moment for case in CASES} == {*MOMENTS, *(moment for _, moment in EXTRA), *further}
    assert further <= SITUATIONS.keys()
    assert {case.blow.how for case in CASES} == STRIKES.keys()
