"""Limits that ask: what a session does at them, what people may say to that, and what holds then."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    LLMCallFailed,
    LLMCallRequested,
    ModelChanged,
    RequestIgnored,
    SessionTerminationRequested,
    ToolExecutionRequested,
)
from eventlog.raises import Raise
from eventlog.terms import Limits
from ledger.entries import enter
from projections.decide import decide, refusal
from projections.evolution import evolve
from projections.fold import fold
from projections.next_step import AwaitRaise, CallModel, Finish, Step, TripLimit, next_step
from projections.process_requests import GiveUpBudget, Trip
from projections.requests import RaiseBudget
from projections.session import Session
from projections.spending import SPENDING
from projections.tool_calls import TOOL_CALLS
from tests.projections.facts import (
    MODEL,
    START,
    asking,
    completed,
    given,
    replied,
    request_of,
    said,
    session_of,
    started,
    tool_failed,
    unknown,
    use,
)

D = Decimal
ACCOUNT = '["acme","acme",null,"2026-11","cost"]'
CHEAP = MODEL.model_copy(update={"name": "cheap"})
DEGRADED = ModelChanged(model=CHEAP, previous=MODEL.name, reason="no room")


def begun(**limits: Any) -> tuple[AnyEvent, ...]:
    """A task with these limits, which owes a reply."""
    return started(limits=Limits(**limits)), said("hi")


def asks(limit: str = "cost", **more: Any) -> BudgetExceeded:
    """A person is asked for more."""
    return BudgetExceeded(limit=limit, allowed=1.0, used=0.9, needed=0.2, action="ask", question="More?", **more)


def step_of(*events: AnyEvent) -> Step:
    """What comes next, ten seconds after the start."""
    return next_step(session_of(*events), START + timedelta(seconds=10))


RAISED = BudgetRaised(more=Raise(cost=D(5)), by="ana")


@pytest.mark.parametrize(
    ("events", "step"),
    [
        ((*begun(cost=1), asks()), AwaitRaise(2, None)),
        ((*begun(cost=1), asks(), RAISED), CallModel(1, 3)),
        ((*begun(cost=1), asks(), SessionTerminationRequested(by="bo")), Finish("terminated", "")),
        ((*begun(turns=1, at_limit="ask"), replied("a", final=False)), TripLimit("turns", 1, 1)),
        ((*begun(turns=1), replied("a", final=False), BudgetRaised(more=Raise(turns=1), by="x")), CallModel(2, 3)),
        ((*begun(tools={"read_file": 1}), replied(use("a"), use("b"))), TripLimit("tool", 1, 2, "read_file")),
        (
            (*begun(cost=1), BudgetExceeded(limit="cost", allowed=1, used=1, action="degrade"), DEGRADED),
            CallModel(1, 3),
        ),
    ],
)
def test_a_question_about_a_budget_comes_before_what_it_is_about(events: tuple[AnyEvent, ...], step: Step) -> None:
    """Nothing is begun while it waits; an answer opens the way again."""
    found = step_of(*events)
    if isinstance(step, Finish):
        assert isinstance(found, Finish)
        assert found.reason == step.reason
    else:
        assert found == step


def test_a_refusal_ends_the_session_with_what_was_reached() -> None:
    """The end says which limit it was, and what was done so far."""
    found = step_of(*begun(cost=1), asks(account=ACCOUNT), BudgetRefused(by="ana", reason="no"))
    assert found == Finish(
        "limit",
        "the limit on cost of acme for acme in 2026-11 had no room for 0.2 more: 0.9 of 1; "
        "it had come to 0 turns, 0 tool calls and 0 tokens",
    )


def test_an_answer_may_arrive_before_the_question() -> None:
    """The process hears of facts in any order; what was answered is no question any more."""
    before = session_of(*begun(cost=1))
    answered = evolve(evolve(before, 3, RAISED), 2, asks())
    assert answered == evolve(evolve(before, 2, asks()), 3, RAISED)
    assert answered.budget is None
    assert answered.limits.cost == 6


def test_a_later_question_stands() -> None:
    """An answer to the first is none to the second."""
    session = evolve(evolve(session_of(*begun(cost=1)), 4, asks()), 3, RAISED)
    assert session.budget is not None
    assert session.budget.position == 4


@pytest.mark.parametrize(
    ("events", "request_", "problem"),
    [
        (begun(cost=1), RaiseBudget(), "say how much more"),
        (begun(), RaiseBudget(amounts=Raise(cost=D(1))), "there is no limit on cost"),
        (begun(), RaiseBudget(amounts=Raise(tools={"x": 1})), "there is no limit on calls of x"),
        (begun(), RaiseBudget(amounts=Raise(calls=1)), "there is no limit on calls"),
        (begun(), RaiseBudget(refuse=True), "nobody is asked for more"),
        (begun(cost=1, raised_by=("fin-*",)), RaiseBudget(amounts=Raise(cost=D(1)), by="ana"), "fin-* may"),
        ((*begun(), asks(raised_by=("fin-*",))), RaiseBudget(refuse=True, by="ana"), "fin-* may"),
        ((*begun(), asks(account=ACCOUNT)), RaiseBudget(amounts=Raise(turns=1)), "it is asked for more cost"),
    ],
)
def test_what_cannot_be_raised_is_refused_in_words(
    events: tuple[AnyEvent, ...], request_: RaiseBudget, problem: str
) -> None:
    """It leaves a record, and changes nothing."""
    ignored = decide(session_of(*events), request_)
    assert isinstance(ignored, RequestIgnored)
    assert problem in ignored.problem


def test_more_of_a_shared_budget_is_not_more_of_the_threads() -> None:
    """The account of the question is raised, and the thread's own limits stay."""
    session = session_of(*begun(cost=1), asks(account=ACCOUNT))
    raised = decide(session, RaiseBudget(amounts=Raise(cost=D(5)), by="ana"))
    assert raised == BudgetRaised(more=Raise(cost=D(5)), by="ana", account=ACCOUNT)
    assert raised is not None
    after = evolve(session, 3, raised)
    assert (after.limits.cost, after.budget) == (D(1), None)


def test_what_was_raised_elsewhere_answers_the_same_question_only() -> None:
    """It adds nothing here; whoever does not wait for that account is left alone, without a trace."""
    elsewhere = RaiseBudget(amounts=Raise(cost=D(5)), by="ana", reason="in t-1", elsewhere=ACCOUNT)
    session = session_of(*begun(cost=1), asks(account=ACCOUNT))
    raised = decide(session, elsewhere)
    assert raised == BudgetRaised(more=Raise(cost=D(5)), by="ana", reason="in t-1", account=ACCOUNT, elsewhere=True)
    assert raised is not None
    assert evolve(session, 3, raised).budget is None
    for other in (session_of(*begun(cost=1)), session_of(*begun(cost=1), asks()), evolve(session, 3, raised)):
        assert decide(other, elsewhere) is None
        assert refusal(other, elsewhere) == "it does not wait for that budget"


@pytest.mark.parametrize("at_limit", ["ask", "end", "degrade"])
def test_a_limit_of_the_threads_own_asks_where_that_is_wanted(at_limit: str) -> None:
    """A cheaper model takes no fewer turns: there is nothing to degrade to."""
    limits = {"turns": 1, "at_limit": at_limit, "degrade_to": "cheap" if at_limit == "degrade" else None}
    session = session_of(*begun(**limits), replied("a", final=False))
    tripped = decide(session, Trip(limit="turns", allowed=1, used=1))
    assert isinstance(tripped, BudgetExceeded)
    assert tripped.action == ("ask" if at_limit == "ask" else "end")
    if at_limit == "ask":
        assert decide(evolve(session, 3, tripped), Trip(limit="turns", allowed=1, used=1)) is None


def test_only_the_question_that_waited_expires() -> None:
    """One that was answered meanwhile, or is another, does not."""
    asked = session_of(*begun(cost=1), asks())
    assert isinstance(decide(asked, GiveUpBudget(asked_at=2)), BudgetRefused)
    assert decide(asked, GiveUpBudget(asked_at=1)) is None
    assert decide(Session(started_at=START), GiveUpBudget(asked_at=2)) is None


def test_the_model_that_was_chosen_is_shown_what_was_said() -> None:
    """From the change on requests are the new model's, and so is what policies see; before it, nothing changes."""
    before, after = request_of(*begun()), request_of(*begun(), DEGRADED)
    assert (before.terms, after.terms) == (MODEL, CHEAP)
    assert before.messages == after.messages
    terms = fold(TOOL_CALLS, given(*begun(), DEGRADED)).terms
    assert terms is not None
    assert terms.model == CHEAP


ASKED = asking(1, 1).model_copy(update={"reserved_usd": D("0.5")})


def failed(counted: Decimal | None, *, will_retry: bool = True) -> LLMCallFailed:
    """A call failed."""
    return LLMCallFailed(step=1, kind="x", error_message="", retry_count=0, will_retry=will_retry, counted_usd=counted)


@pytest.mark.parametrize(
    ("events", "spent"),
    [
        ((ASKED, replied("a", cost=D("0.1"))), "0.1"),
        ((ASKED, replied("a", cost=None)), "0.5"),
        ((ASKED, failed(D("0.5")), replied("a", cost=D("0.1"))), "0.6"),
        ((ASKED, failed(D(0)), replied("a", cost=D("0.1"))), "0.1"),
        ((ASKED, failed(None, will_retry=False)), "0.5"),
        ((ASKED, failed(D("0.5")), failed(None, will_retry=False)), "0.5"),
        ((asking(1, 1), failed(None, will_retry=False)), "0"),
        (
            (
                ToolExecutionRequested(
                    call_id="a", tool_name="t", arguments={}, digest="d", effect="unsafe", cost_usd=D("0.25")
                ),
            ),
            "0.25",
        ),
    ],
)
def test_what_may_have_been_billed_is_spent(events: tuple[AnyEvent, ...], spent: str) -> None:
    """A failure counts for what it says, or, where it says nothing, for what was set aside."""
    assert fold(SPENDING, given(*begun(), *events)).spent == D(spent)


CALL = "a"
DECLARED = ToolExecutionRequested(
    call_id=CALL, tool_name="read_file", arguments={}, digest="d", effect="read_only", cost_usd=D("0.25")
)
AGAIN = tool_failed(CALL, will_retry=True)


@pytest.mark.parametrize(
    ("attempts", "spent"),
    [
        ((completed(CALL),), "0.25"),
        ((AGAIN,), "0.25"),
        ((AGAIN, completed(CALL)), "0.50"),
        ((AGAIN, AGAIN, tool_failed(CALL)), "0.75"),
        ((AGAIN, unknown(CALL)), "0.50"),
        ((tool_failed(CALL, kind="too_late"),), "0"),
        ((AGAIN, tool_failed(CALL, kind="tool_changed")), "0.25"),
    ],
)
def test_a_tools_attempts_count_for_the_thread_as_in_the_ledger(attempts: tuple[AnyEvent, ...], spent: str) -> None:
    """Each that was made costs its price, one that was not made costs nothing, in the one as in the other."""
    stream = given(*begun(), replied(use(CALL), cost=D(0)), DECLARED, *attempts)
    entries, _ = enter(stream, {})
    assert fold(SPENDING, stream).spent == sum((entry.cost or D(0) for entry in entries), D(0)) == D(spent)


def test_spending_knows_what_the_provider_has_counted() -> None:
    """The size of the request that was answered, and its tokens: the next is estimated from there."""
    spending = fold(SPENDING, given(*begun(), asking(1, 1), replied("a")))
    assert spending.read is not None
    assert (spending.read.model, spending.read.bytes, spending.read.tokens) == (MODEL.name, 1234, 10)
    assert isinstance(ASKED, LLMCallRequested)
