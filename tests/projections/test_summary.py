"""A session on one screen."""

from datetime import timedelta
from decimal import Decimal

from eventlog.events import AnyEvent, LoopDetected, SessionCompleted, SessionPaused, SessionResumed
from projections.fold import fold
from projections.summary import SUMMARY, Summary, describe
from tests.projections.facts import (
    asked,
    completed,
    given,
    granted,
    model_failed,
    replied,
    said,
    started,
    use,
)


def summary_of(*events: AnyEvent) -> Summary:
    """The summary of these events."""
    return fold(SUMMARY, given(*events))


ASKED = (started(), said("write it"), replied(use("a", "write_file"), use("b")), completed("b", "B"), asked("a"))


def test_a_session_that_waits_says_how_to_answer() -> None:
    """Every question comes with the commands that answer it."""
    assert describe(summary_of(*ASKED)).splitlines() == [
        "thread-1: waiting",
        "asked: write it",
        "1 turns, 2 tool calls, 15 tokens, 0.0100 USD",
        "took 4.0 s",
        "waits for approval: May a write?",
        "  perdure approve thread-1 a",
        '  perdure deny thread-1 a --reason "…"',
    ]


def test_a_question_that_was_answered_waits_no_longer() -> None:
    """Nor does one of a session that is over."""
    assert summary_of(*ASKED, granted("a")).pending == ()
    assert summary_of(*ASKED, SessionCompleted(completion_reason="terminated", summary=".")).pending == ()


def test_a_session_that_is_over_shows_its_answer() -> None:
    """Question, answer, why it ended, what it used and how long it took."""
    ended = SessionCompleted(completion_reason="success", summary="it is done", answer="42")
    summary = summary_of(started(), said("how much"), said("quick"), replied("42", at=2), ended)
    assert describe(summary).splitlines() == [
        "thread-1: completed",
        "asked: how much",
        "answer: 42",
        "ended: it is done",
        "1 turns, 0 tool calls, 15 tokens, 0.0100 USD",
        "took 4.0 s",
    ]
    assert summary.duration == timedelta(seconds=4)


def test_a_chat_shows_its_last_word_so_far() -> None:
    """Replies that only call tools are no answer."""
    events = (started("chat"), said("hi"), replied("hello"), said("read"), replied("I read", use("a"), step=2, at=3))
    assert summary_of(*events).answer == "hello"


def test_a_session_that_stalls_says_why() -> None:
    """A chat that waits because its model could not be asked is not merely idle."""
    text = describe(summary_of(started("chat"), said("hi"), model_failed()))
    assert "stalled: the model could not be asked: overloaded" in text


def test_an_unknown_price_is_said() -> None:
    """The known part of the cost stands beside the calls nobody can price."""
    text = describe(summary_of(started(), said("hi"), replied("x", cost=None), replied("y", step=2, cost=Decimal(1))))
    assert "1.0000 USD and 1 calls of unknown price" in text


def test_an_empty_stream_has_a_summary() -> None:
    """A thread that has not begun is no error."""
    assert summary_of().duration == timedelta(0)
    assert describe(summary_of())


def test_a_circle_waits_for_a_person_until_somebody_speaks() -> None:
    """It is told of while the session stands still for it, and not for a pause of somebody's own after that."""
    circle = LoopDetected(step=2, stage="asked", period=1, times=5, calls="read_file")
    events = (started(), said("hi"), circle)
    summary = summary_of(*events)
    assert (summary.circling, summary.circled_at) == (circle, 2)
    assert describe(summary).splitlines()[-2:] == ["  perdure resume thread-1", "  perdure terminate thread-1"]
    for after in (SessionResumed(by="ana"), SessionCompleted(completion_reason="terminated", summary=".")):
        assert summary_of(*events, after).circling is None
    assert summary_of(*events, SessionResumed(by="ana"), SessionPaused(by="bo")).circling is None
    assert summary_of(started(), circle.model_copy(update={"stage": "told"})).circling is None
