"""The session's state: what is counted, and what comes late."""

from itertools import permutations

import pytest

from eventlog.events import AnyEvent, BudgetExceeded, SessionCompleted, SessionPaused, SessionResumed
from projections.evolution import evolve
from projections.review import FINAL
from projections.session import Session
from tests.projections.facts import (
    START,
    asked,
    completed,
    denied,
    granted,
    inquired,
    model_failed,
    replied,
    said,
    session_of,
    started,
    tool_failed,
    use,
)

TASK = (started(), said("hi"))
CHAT = (started("chat"), said("hi"))


def test_the_terms_are_the_sessions() -> None:
    """What was agreed at the start is at hand."""
    session = session_of(started())
    assert (session.thread_id, session.tenant, session.principal) == ("thread-1", "acme", "ana")
    assert session.started_ms == int(START.timestamp() * 1000)
    assert list(session.tools) == ["read_file", "write_file"]


def test_what_is_used_is_counted() -> None:
    """Replies, calls that may run, tokens and messages are counted; calls that were cut off are not."""
    session = session_of(
        *TASK,
        replied(use("a"), use("b")),
        completed("a"),
        completed("b"),
        replied(use("c"), step=2, at=4, stop_reason="max_tokens"),
        said("on"),
    )
    assert (session.turns, session.tool_calls, session.tokens, session.messages) == (2, 2, 30, 2)


STATUSES: list[tuple[tuple[AnyEvent, ...], str]] = [
    ((), "running"),
    (TASK, "running"),
    ((*TASK, replied(use("a"))), "running"),
    ((*TASK, replied(use("a")), asked("a")), "waiting"),
    ((*TASK, replied(use("a")), asked("a"), granted("a")), "running"),
    ((*TASK, SessionPaused(by="bo")), "paused"),
    ((*TASK, SessionPaused(by="bo"), SessionResumed(by="bo")), "running"),
    ((*CHAT, replied("ok")), "waiting"),
    ((*CHAT, replied("ok"), said("and?")), "running"),
    ((*CHAT, model_failed()), "waiting"),
    ((*TASK, SessionCompleted(completion_reason="success", summary=".")), "completed"),
    ((*CHAT, SessionCompleted(completion_reason="timeout", summary=".")), "completed"),
    ((*TASK, SessionCompleted(completion_reason="failure", summary=".")), "failed"),
    ((*TASK, SessionCompleted(completion_reason="limit", summary=".")), "failed"),
    ((*TASK, SessionPaused(by="bo"), SessionCompleted(completion_reason="terminated", summary=".")), "terminated"),
]


@pytest.mark.parametrize(("events", "status"), STATUSES)
def test_the_session_in_one_word(events: tuple[AnyEvent, ...], status: str) -> None:
    """Every state has its word."""
    assert session_of(*events).status == status


def test_a_reply_to_a_step_that_was_given_up_changes_nothing() -> None:
    """Its calls are not run and it answers nobody: the process has gone on without it."""
    given_up = session_of(*CHAT, model_failed(step=1))
    late = evolve(given_up, 3, replied(use("a"), step=1))
    assert (late.pending, late.stalled, late.turns) == ({}, given_up.stalled, 0)


def test_a_failure_of_a_step_that_has_its_reply_changes_nothing() -> None:
    """The first end of a step counts."""
    answered = session_of(*CHAT, replied("ok"))
    assert evolve(answered, 3, model_failed(step=1)).stalled == ""


ORDERS: list[tuple[AnyEvent, ...]] = [
    (completed("a"), tool_failed("b"), said("hurry")),
    (asked("a"), granted("a"), said("hurry")),
    (denied("b"), completed("a")),
    (said("one"), said("two"), completed("b")),
]


@pytest.mark.parametrize("events", ORDERS)
def test_facts_about_different_things_may_come_in_any_order(events: tuple[AnyEvent, ...]) -> None:
    """Marks of parallel activities overtake each other; the session is the same."""
    before = session_of(*TASK, replied(use("a"), use("b")))
    assert len({repr(folded(before, order)) for order in permutations(enumerate(events, 3))}) == 1


@pytest.mark.parametrize("reply", [replied("ok"), replied("I", stop_reason="refusal"), model_failed()])
def test_a_message_and_a_reply_may_come_in_any_order(reply: AnyEvent) -> None:
    """Whichever was written first, and whichever is heard of first."""
    before = session_of(*CHAT)
    for facts in ([(2, said("and")), (3, reply)], [(2, reply), (3, said("and"))]):
        assert folded(before, facts) == folded(before, facts[::-1])


@pytest.mark.parametrize("later", [said("and?"), SessionCompleted(completion_reason="terminated", summary=".")])
def test_a_review_is_over_when_it_can_change_nothing_more(later: AnyEvent) -> None:
    """Once something is said that the answer knows not of, or the session is over, nobody is asked about it."""
    question = inquired(FINAL, action="review").model_copy(update={"step": 1})
    reviewing = session_of(started().model_copy(update={"review": True}), said("hi"), replied("42"), question)
    assert [each.id for each in reviewing.waiting_for_answer] == [FINAL]
    assert not evolve(reviewing, 4, later).waiting_for_answer


def test_nobody_is_asked_for_more_once_the_session_is_over() -> None:
    """A question about a budget ends with the session."""
    asks = BudgetExceeded(limit="cost", allowed=1, used=1, action="ask", question="More?")
    assert len(session_of(*TASK, asks).waiting_for_answer) == 1
    assert not session_of(*TASK, asks, SessionCompleted(completion_reason="terminated", summary=".")).waiting_for_answer


def test_a_message_before_the_failure_does_not_hide_it() -> None:
    """Only what is said after the model failed makes the process ask it again."""
    assert session_of(*CHAT, said("and"), model_failed()).stalled
    assert not session_of(*CHAT, model_failed(), said("and")).stalled


def folded(session: Session, facts: "list[tuple[int, AnyEvent]] | tuple[tuple[int, AnyEvent], ...]") -> Session:
    """The session after these facts, in this order."""
    for position, event in facts:
        session = evolve(session, position, event)
    return session
