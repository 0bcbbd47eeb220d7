"""The tool calls of the last reply, and how far they are."""

from eventlog.events import AnyEvent
from projections.fold import fold
from projections.tool_calls import TOOL_CALLS, OpenCall, ToolCalls, latest_arguments
from tests.projections.facts import (
    START,
    asked,
    begun,
    completed,
    denied,
    given,
    granted,
    model_failed,
    recorded,
    replied,
    said,
    started,
    tool_failed,
    use,
)

ONE_CALL = (started(), said("hi"), replied(use("a", "write_file", path="x"), step=1))


def calls_of(*events: AnyEvent) -> ToolCalls:
    """The calls after these events."""
    return fold(TOOL_CALLS, given(*events))


def test_a_call_knows_what_is_needed_to_make_it() -> None:
    """Arguments, where it comes from and what the session allows."""
    calls = calls_of(*ONE_CALL)
    reply = given(*ONE_CALL)[-1].id
    assert calls.open["a"] == OpenCall(
        id="a",
        name="write_file",
        title="write_file a",
        arguments={"path": "x"},
        step=1,
        reply=reply,
        cause=reply,
        allowed=("read_file", "write_file"),
        approval_timeout=3600,
    )
    assert (calls.tenant, calls.principal, calls.started_at) == ("acme", "ana", START)


def test_an_approval_stands_with_its_call() -> None:
    """Who was asked about what, who allowed it, and with which arguments it is run."""
    call = calls_of(*ONE_CALL, asked("a", path="x")).open["a"]
    assert (call.state, call.digest, call.approver) == ("asked", "digest a", None)
    call = calls_of(*ONE_CALL, asked("a", path="x"), granted("a", edited={"path": "y"})).open["a"]
    assert (call.state, call.approver, call.edited) == ("granted", "bo", {"path": "y"})
    assert call.arguments_to_run == {"path": "y"}
    assert call.arguments == {"path": "x"}


def test_an_edit_to_no_arguments_is_an_edit() -> None:
    """An approver may take all arguments away."""
    assert calls_of(*ONE_CALL, asked("a"), granted("a", edited={})).open["a"].arguments_to_run == {}


def test_an_intent_says_who_declared_it() -> None:
    """Run, activity and attempt of the process that was about to make the call."""
    call = calls_of(*ONE_CALL, begun("a")).open["a"]
    assert call.state == "begun"
    assert call.intent is not None
    assert (call.intent.run_id, call.intent.activity_id, call.intent.attempt) == ("run-1", "3", 1)


def test_failures_so_far_are_counted() -> None:
    """Each attempt that may be followed by another."""
    events = (*ONE_CALL, begun("a"), tool_failed("a", will_retry=True), tool_failed("a", will_retry=True))
    call = calls_of(*events).open["a"]
    assert (call.failures, call.state) == (2, "begun")
    assert call.cause == given(*events)[-1].id


def test_a_call_with_an_outcome_is_open_no_longer() -> None:
    """Whatever the outcome is."""
    for outcome in (completed("a"), tool_failed("a"), denied("a")):
        assert calls_of(*ONE_CALL, outcome).open == {}


def test_calls_that_are_never_run_are_never_open() -> None:
    """Those of replies that were cut off, refused, or came too late."""
    for reason in ("max_tokens", "refusal", "model_context_window_exceeded"):
        assert calls_of(started(), said("hi"), replied(use("a"), stop_reason=reason)).open == {}
    assert calls_of(started(), said("hi"), model_failed(step=1), replied(use("a"), step=1)).open == {}


def test_the_latest_arguments_are_those_of_the_last_reply() -> None:
    """By tool, with or without an outcome; none where the last reply called nothing."""
    events = (started(), said("hi"), replied(use("a", path="x"), use("b", "write_file", text="t"), use("c", path="y")))
    assert latest_arguments(calls_of(*events)) == {"read_file": {"path": "y"}, "write_file": {"text": "t"}}
    assert latest_arguments(calls_of(*events, completed("a"))) != {}
    assert latest_arguments(calls_of(*events, replied("done", step=2, at=2))) == {}
    assert latest_arguments(calls_of()) == {}


def test_what_is_said_of_unknown_calls_changes_nothing() -> None:
    """A late word about a call of an earlier turn opens nothing."""
    calls = calls_of(*ONE_CALL)
    assert TOOL_CALLS.evolve(calls, recorded(3, granted("z"))).open == calls.open
