"""What happened, line by line."""

from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest

from eventlog.approval_terms import ApprovalTerms
from eventlog.events import (
    EVENT_TYPES,
    AnyEvent,
    BreakpointCleared,
    BreakpointReached,
    BreakpointSet,
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    BudgetWarned,
    ErrorOccurred,
    LoopDetected,
    ModelChanged,
    RequestIgnored,
    SessionCompleted,
    SessionInterrupted,
    SessionPaused,
    SessionResumed,
    SessionStepped,
    SessionTerminationRequested,
    StreamRepaired,
    ToolExecutionCompleted,
    UnknownEvent,
    UserMessageAdded,
)
from eventlog.raises import Raise
from eventlog.terms import Breakpoint
from projections.fold import fold
from projections.timeline import LONGEST, TIMELINE, Line
from tests.projections.facts import (
    MODEL,
    START,
    answered,
    asked,
    asked_under,
    asking,
    begun,
    completed,
    denied,
    escalated,
    expired,
    given,
    granted,
    inquired,
    model_failed,
    recorded,
    remembered,
    replied,
    reused,
    ruled,
    said,
    started,
    thought,
    tool_failed,
    unanswered,
    unknown,
    use,
    voted,
)

IMAGE = {"type": "image", "source": {}}
LINES: list[tuple[AnyEvent, str, str]] = [
    (started(), "ana", "started a task with claude-test"),
    (said("hi\n there", IMAGE), "ana", "hi there [with image]"),
    (SessionPaused(by="bo", reason="lunch"), "bo", "paused the session: lunch"),
    (SessionPaused(by="bo"), "bo", "paused the session"),
    (SessionResumed(by="bo"), "bo", "resumed the session"),
    (SessionTerminationRequested(by="bo", reason="enough"), "bo", "asked to end the session: enough"),
    (SessionInterrupted(by="bo", reason="wrong folder"), "bo", "interrupted what runs: wrong folder"),
    (SessionStepped(by="bo"), "bo", "let the session go on for one step"),
    (BreakpointSet(breakpoint=Breakpoint(), by="bo"), "bo", "set the breakpoint before:step"),
    (BreakpointCleared(breakpoint="before:step", by="bo"), "bo", "cleared the breakpoint before:step"),
    (BreakpointCleared(by="bo"), "bo", "cleared all breakpoints"),
    (
        BreakpointReached(breakpoint="before:w*", when="before", step=2, tools=("write_file",), calls=("a",)),
        "perdure",
        "stopped before write_file (breakpoint before:w*)",
    ),
    (BreakpointReached(breakpoint="one-step", when="after", step=2), "perdure", "stopped after one step: model call 2"),
    (UserMessageAdded(message="not so", sender="bo", steering=True), "bo", "steers: not so"),
    (BudgetExceeded(limit="turns", allowed=2, used=2), "perdure", "the limit on turns is reached: 2 of 2"),
    (
        BudgetExceeded(limit="cost", allowed=5, used=4.5, needed=0.75, action="degrade"),
        "perdure",
        "the limit on cost has no room for 0.75 more: 4.5 of 5",
    ),
    (
        BudgetExceeded(limit="cost", allowed=5, used=4.5, action="ask", question="May it use more?"),
        "perdure",
        "asks for more: May it use more?",
    ),
    (
        BudgetWarned(
            limit="tokens", share=0.8, allowed=1000, used=810, account='["b","acme","ana","2026-11","tokens"]'
        ),
        "perdure",
        "80% of the limit on tokens of b for ana of acme in 2026-11 is used: 810 of 1000",
    ),
    (
        BudgetRaised(more=Raise(cost=Decimal(5), tools={"look": 2}, unpriced=True), by="ana", reason="fine"),
        "ana",
        "allowed more: 5 cost, 2 calls of look, models of unknown price: fine",
    ),
    (
        BudgetRaised(
            more=Raise(cost=Decimal(5)),
            by="ana",
            reason="in t-1",
            account='["b","acme",null,"2026-11","cost"]',
            elsewhere=True,
        ),
        "ana",
        "allowed more elsewhere: 5 cost of b for acme in 2026-11: in t-1",
    ),
    (BudgetRefused(by="ana", reason="too dear"), "ana", "allowed no more: too dear"),
    (
        ModelChanged(model=MODEL, previous="dear", reason="no room"),
        "perdure",
        "asks claude-test from here on, no longer dear: no room",
    ),
    (
        LoopDetected(step=4, stage="told", period=1, times=3, calls="look"),
        "perdure",
        "the same calls brought the same results 3 times: the model is told",
    ),
    (
        LoopDetected(step=8, stage="asked", period=2, times=5, calls="look"),
        "perdure",
        "the same 2 steps brought the same results 5 times: a person is asked to go on or end it",
    ),
    (ErrorOccurred(error_type="Odd", error_message="very"), "perdure", "error Odd: very"),
    (SessionCompleted(completion_reason="success", summary="done"), "perdure", "session over (success): done"),
    (asking(3, 1), "perdure", "asks claude-test, call 3, 1,234 bytes"),
    (replied("Hello"), "model", "Hello"),
    (replied("I look", use("a"), use("b")), "model", "I look → calls read_file a, read_file b"),
    (replied(thought(), use("a")), "model", "calls read_file a"),
    (replied("{", problem="no JSON"), "model", "{ (not taken: no JSON)"),
    (replied("Once", stop_reason="max_tokens"), "model", "Once (max_tokens)"),
    (replied(final=False), "model", "said nothing (end_turn)"),
    (model_failed(will_retry=True), "model", "did not answer (overloaded): try later; tries again in 2 s"),
    (model_failed(), "model", "did not answer (overloaded): try later"),
    (begun("x"), "read_file", "begins read_file"),
    (completed("x", "three", "lines"), "read_file", "threelines"),
    (completed("x"), "read_file", "done, without a result"),
    (
        ToolExecutionCompleted(call_id="x", tool_name="draw", result=(IMAGE,), execution_time_ms=1),
        "draw",
        "image",
    ),
    (tool_failed("x", kind="timeout"), "read_file", "failed (timeout): no such file"),
    (tool_failed("x", will_retry=True), "read_file", "failed (error): no such file; tries again"),
    (unknown("x"), "write_file", "may have happened or not: The process died."),
    (
        ruled("x", "deny", rule="r1"),
        "policy",
        "says deny (rule r1 of own) to write_file: it is too large",
    ),
    (ruled("x", "ask"), "policy", "says ask (own) to write_file: it is too large"),
    (asked("x"), "perdure", "asks for approval (high risk): May x write?"),
    (granted("x", comment="fine"), "bo", "approved x: fine"),
    (granted("x", edited={"path": "ä"}), "bo", 'approved x, with {"path": "ä"}'),
    (denied("x"), "bo", "denied x: not on a Friday"),
    (voted("x"), "bo", "votes for x"),
    (voted("x", edited={"path": "y"}), "bo", 'votes for x, with {"path": "y"}'),
    (remembered("x"), "bo", "approved x, and from now on every call of the tool"),
    (remembered("x", "arguments"), "bo", "approved x, and from now on the very same"),
    (escalated("x", 1, "boss*"), "perdure", "nobody answered in time, asks boss*: x"),
    (escalated("x"), "perdure", "nobody answered in time, asks anyone: x"),
    (reused("x", 17), "perdure", "runs write_file without asking: bo allowed it at position 17"),
    (expired("x").model_copy(update={"action": "allow"}), "perdure", "nobody answered in time, so it runs: x"),
    (
        asked_under("x", ApprovalTerms(quorum=2, approvers=(("b*",),))),
        "perdure",
        "asks for approval (high risk, 2 people, of b*): May x write?",
    ),
    (expired("x"), "perdure", "nobody answered in time: x"),
    (inquired("x"), "perdure", "asks a person (input): What of x?"),
    (answered("x", comment="sure"), "bo", "answered x: blue: sure"),
    (answered("x", value=True, action="confirm"), "bo", "answered x: yes"),
    (unanswered("x"), "perdure", "nobody answered in time: x"),
    (
        RequestIgnored(request="approve", by="bo", problem="too late"),
        "bo",
        "asked for approve, which changed nothing: too late",
    ),
    (
        StreamRepaired(what="EndIsTold", why="it had no end", by="bo"),
        "bo",
        "repaired the stream (EndIsTold): it had no end",
    ),
    (UnknownEvent(type_name="Later", data={"a": 1}), "perdure", 'Later {"a": 1}'),
]


@pytest.mark.parametrize(("event", "actor", "text"), LINES)
def test_every_event_has_its_words(event: AnyEvent, actor: str, text: str) -> None:
    """Who did it, and what, in one line."""
    (line,) = fold(TIMELINE, given(event)).lines
    assert (line.actor, line.text) == (actor, text)


def test_no_kind_of_event_is_forgotten() -> None:
    """The table above has a line for each class there is."""
    assert {event.type for event, _, _ in LINES} == set(EVENT_TYPES)
    assert len(EVENT_TYPES) == len(get_args(get_args(AnyEvent)[0]))


def test_a_line_says_when_and_how_long() -> None:
    """Time of day, time since the start, and duration where something took time."""
    lines = fold(TIMELINE, [recorded(0, started(), after=5), recorded(1, replied("ok"), after=7.5)]).lines
    assert lines[1] == Line(
        position=1,
        kind="LLMResponseReceived",
        time=START + timedelta(seconds=7.5),
        since_start=timedelta(seconds=2.5),
        actor="model",
        text="ok",
        duration_ms=1500,
    )
    assert lines[0].duration_ms is None


def test_time_never_runs_backwards_from_the_start() -> None:
    """The database's clock is not monotonic; nothing happens before the beginning."""
    lines = fold(TIMELINE, [recorded(0, started(), after=5), recorded(1, said("hi"), after=4)]).lines
    assert lines[1].since_start == timedelta(0)


def test_calls_are_named_by_their_titles() -> None:
    """A reader meets the words the model's call was given, not its id."""
    lines = fold(TIMELINE, given(started(), said("hi"), replied(use("a")), begun("a"), denied("a"))).lines
    assert [line.text for line in lines[3:]] == ["begins read_file a", "denied read_file a: not on a Friday"]


def test_a_changed_call_is_told_as_changed() -> None:
    """What is decided and run after an edit is not taken for what the model wanted; who agreed to it is no editor."""
    edit = {"path": "b"}
    last = granted("a", edited=edit).model_copy(update={"approver": "cy", "edited_digest": "edited a"})
    votes: list[AnyEvent] = [voted("a", edited=edit), last]
    refused = RequestIgnored(request="approve", by="di", problem="too late", call_id="a")
    stream = given(started(), said("hi"), replied(use("a")), asked("a"), *votes, ruled("a", "ask"), begun("a"), refused)
    changed = "read_file a, as bo changed it"
    assert [line.text for line in fold(TIMELINE, stream).lines[4:]] == [
        'votes for read_file a, with {"path": "b"}',
        f'approved {changed}, with {{"path": "b"}}',
        f"says ask (own) to {changed}: it is too large",
        f"begins {changed}",
        f"asked for approve of {changed}, which changed nothing: too late",
    ]


def test_an_unknown_event_is_shown_as_itself() -> None:
    """Its own name is its kind."""
    assert fold(TIMELINE, given(UnknownEvent(type_name="Later", data={}))).lines[0].kind == "Later"


@pytest.mark.parametrize("long", ["x" * 10_000, "x " * 10_000, "\n" * 10_000 + "x"])
def test_long_content_is_clipped(long: str) -> None:
    """A line is never longer than a line."""
    (line,) = fold(TIMELINE, given(said(long))).lines
    assert len(line.text) <= LONGEST
    assert line.text.endswith("…")


def test_control_characters_never_reach_a_terminal() -> None:
    """What a tool or a person says cannot colour, clear or reverse the screen."""
    (line,) = fold(TIMELINE, given(UserMessageAdded(message="a\x1b[31mb\u202ec\ud800", sender="\x07ana"))).lines
    assert line.text.isprintable()
    assert line.actor.isprintable()


def test_a_line_is_never_blank() -> None:
    """A message without visible words still has its line."""
    (line,) = fold(TIMELINE, given(UserMessageAdded(message=" \n", sender=""))).lines
    assert (line.actor, line.text) == ("nobody", "nothing")
