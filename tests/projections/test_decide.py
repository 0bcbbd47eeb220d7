"""Which facts requests make, and which make none."""

import pytest

from eventlog.canonical import digest_of
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    BudgetExceeded,
    LLMCallFailed,
    RequestIgnored,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionTerminationRequested,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    UserMessageAdded,
)
from projections.decide import decide, refusal
from projections.process_requests import (
    Close,
    Expire,
    GiveUpModel,
    GiveUpTool,
    Trip,
)
from projections.requests import (
    Approve,
    Deny,
    Pause,
    Reject,
    Request,
    Resume,
    Say,
    Terminate,
)
from tests.projections.facts import (
    asked,
    begun,
    completed,
    denied,
    granted,
    model_failed,
    replied,
    said,
    session_of,
    started,
    use,
)

TASK = (started(), said("hi"))
CHAT = (started("chat"), said("hi"))
ASKED = (*TASK, replied(use("a", "write_file"), use("b")), asked("a"))
PAUSED = (*TASK, SessionPaused(by="bo"))
OVER = (*TASK, SessionCompleted(completion_reason="success", summary="."))
CRASHED = {"kind": "crashed", "problem": "it died"}

DONE: list[tuple[tuple[AnyEvent, ...], Request, AnyEvent]] = [
    (TASK, Say(message="more", sender="ana"), UserMessageAdded(message="more", sender="ana")),
    (
        ASKED,
        Approve(call_id="a", approver="bo", comment="fine", edited_arguments={"path": "y"}),
        ApprovalGranted(
            call_id="a",
            digest="digest a",
            approver="bo",
            comment="fine",
            edited_arguments={"path": "y"},
            edited_digest=digest_of({"path": "y"}),
        ),
    ),
    (ASKED, Deny(call_id="a", approver="bo", reason="no"), ApprovalDenied(call_id="a", approver="bo", reason="no")),
    (ASKED, Expire(call_id="a"), ApprovalExpired(call_id="a")),
    (TASK, Pause(by="bo", reason="lunch"), SessionPaused(by="bo", reason="lunch")),
    (PAUSED, Resume(by="bo"), SessionResumed(by="bo")),
    ((*CHAT, model_failed()), Resume(by="bo"), SessionResumed(by="bo")),
    (TASK, Terminate(by="bo"), SessionTerminationRequested(by="bo", orderly=True)),
    (TASK, Trip(limit="turns", allowed=1, used=1), BudgetExceeded(limit="turns", allowed=1, used=1, orderly=True)),
    (
        TASK,
        GiveUpModel(step=1, **CRASHED),
        LLMCallFailed(step=1, kind="crashed", error_message="it died", retry_count=0, will_retry=False),
    ),
    (
        ASKED,
        GiveUpTool(call_id="b", **CRASHED),
        ToolExecutionFailed(call_id="b", tool_name="read_file", kind="crashed", error_message="it died", retry_count=0),
    ),
    (
        (*ASKED, granted("a"), begun("a", "write_file")),
        GiveUpTool(call_id="a", **CRASHED),
        ToolExecutionOutcomeUnknown(
            call_id="a",
            tool_name="write_file",
            explanation="it was begun and never reported back: it died",
        ),
    ),
    (
        TASK,
        Close(reason="failure", summary="no use"),
        SessionCompleted(completion_reason="failure", summary="no use"),
    ),
    (
        (*TASK, replied("ok")),
        Close(reason="success", summary="done"),
        SessionCompleted(completion_reason="success", summary="done"),
    ),
]


@pytest.mark.parametrize(("events", "request_", "fact"), DONE)
def test_a_request_that_can_be_done_makes_its_fact(
    events: tuple[AnyEvent, ...], request_: Request, fact: AnyEvent
) -> None:
    """Given these events, the request is not refused and becomes this event."""
    session = session_of(*events)
    assert refusal(session, request_) is None
    assert decide(session, request_) == fact


IGNORED: list[tuple[tuple[AnyEvent, ...], Request, str]] = [
    (ASKED, Approve(call_id="x", approver="bo"), "no call 'x' waits for an answer (waiting: a)"),
    (TASK, Approve(call_id="x", approver="bo"), "no call 'x' waits for an answer (waiting: none)"),
    (ASKED, Deny(call_id="b", approver="bo"), "call 'b' is not waiting for an answer: it is wanted"),
    (
        (*ASKED, granted("a")),
        Approve(call_id="a", approver="cy"),
        "call 'a' is not waiting for an answer: it is granted",
    ),
    ((*ASKED, denied("a")), Approve(call_id="a", approver="cy"), "no call 'a' waits for an answer (waiting: none)"),
    (PAUSED, Pause(by="bo"), "the session is paused already"),
    (TASK, Resume(by="bo"), "the session is not paused"),
    ((*TASK, SessionTerminationRequested(by="bo")), Terminate(by="cy"), "the session is ending already"),
    (OVER, Say(message="late", sender="ana"), "the session has ended (success)"),
    (OVER, Pause(by="bo"), "the session has ended (success)"),
    (TASK, Reject(name="approve", problem="call_id: missing"), "call_id: missing"),
]


@pytest.mark.parametrize(("events", "request_", "problem"), IGNORED)
def test_what_people_ask_in_vain_is_recorded(events: tuple[AnyEvent, ...], request_: Request, problem: str) -> None:
    """A person's request that cannot be done becomes a record of it, which changes nothing."""
    session = session_of(*events)
    fact = decide(session, request_)
    assert isinstance(fact, RequestIgnored)
    assert fact.problem == problem == refusal(session, request_)
    assert session_of(*events, fact).pending == session.pending


NOTHING: list[tuple[tuple[AnyEvent, ...], Request]] = [
    ((*ASKED, granted("a")), Expire(call_id="a")),
    ((*TASK, BudgetExceeded(limit="turns", allowed=1, used=1)), Trip(limit="turns", allowed=1, used=1)),
    ((*TASK, replied("ok")), GiveUpModel(step=1, **CRASHED)),
    ((*ASKED, completed("b")), GiveUpTool(call_id="b", **CRASHED)),
    ((*TASK, replied("ok"), said("and")), Close(reason="success", summary="done")),
    ((*CHAT, replied("ok"), said("and")), Close(reason="timeout", summary="quiet")),
    (OVER, Close(reason="success", summary="done")),
]


@pytest.mark.parametrize(("events", "request_"), NOTHING)
def test_what_the_process_asks_in_vain_leaves_no_trace(events: tuple[AnyEvent, ...], request_: Request) -> None:
    """The process itself was only too late: something has happened in the meantime."""
    session = session_of(*events)
    assert decide(session, request_) is None
    assert refusal(session, request_)


def test_an_approval_is_spent_once() -> None:
    """Of two answers to one question the first counts, and the second is recorded."""
    first = decide(session_of(*ASKED), Approve(call_id="a", approver="bo"))
    assert isinstance(first, ApprovalGranted)
    second = decide(session_of(*ASKED, first), Deny(call_id="a", approver="cy"))
    assert isinstance(second, RequestIgnored)
