"""What the process does next, rule by rule."""

from datetime import timedelta

import pytest

from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionTerminationRequested,
)
from eventlog.terms import Limits
from projections.next_step import (
    AwaitMessage,
    AwaitResume,
    CallModel,
    Ended,
    Finish,
    SettleCalls,
    Step,
    TripLimit,
    next_step,
)
from projections.session import PendingCall
from tests.projections.facts import (
    START,
    asked,
    begun,
    completed,
    denied,
    expired,
    granted,
    model_failed,
    replied,
    said,
    session_of,
    started,
    tool_failed,
    unknown,
    use,
)

TASK = (started(), said("hi"))
CHAT = (started("chat", idle_timeout=60), said("hi"))
PAUSED = SessionPaused(by="bo")
RESUMED = SessionResumed(by="bo")
TERMINATE = SessionTerminationRequested(by="bo")
FOUR_CUT_OFF = tuple(replied("on", step=step, at=step, stop_reason="max_tokens") for step in (1, 2, 3, 4))
REFUSED = replied("I", stop_reason="refusal")


def limited(**limits: float) -> AnyEvent:
    """A chat with these limits."""
    return started("chat", limits=Limits.model_validate(limits))


def wanted(call_id: str) -> PendingCall:
    """A call the model has just asked for."""
    return PendingCall(call_id, "read_file", f"read_file {call_id}")


RULES: list[tuple[str, tuple[AnyEvent, ...], Step]] = [
    # 1 · what has ended stays ended
    (
        "an ended session is ended",
        (*TASK, SessionCompleted(completion_reason="success", summary="."), said("more")),
        Ended("success"),
    ),
    # 3 · somebody wants it to end
    (
        "termination comes before everything that is open",
        (*TASK, replied(use("a")), PAUSED, TERMINATE),
        Finish("terminated", "the session was terminated on request"),
    ),
    # 4 · a limit is reached
    (
        "a limit that was tripped ends the session",
        (*TASK, BudgetExceeded(limit="turns", allowed=1, used=1)),
        Finish("limit", "the limit on turns was reached: 1 of 1; it had come to 0 turns, 0 tool calls and 0 tokens"),
    ),
    (
        "the last turn is over and another is wanted",
        (limited(turns=1), said("hi"), replied("ok"), said("more")),
        TripLimit("turns", 1, 1),
    ),
    ("the last turn was enough", (limited(turns=1), said("hi"), replied("ok")), AwaitMessage(None)),
    (
        "all tokens are used and another turn is wanted",
        (limited(tokens=15), said("hi"), replied("ok"), said("more")),
        TripLimit("tokens", 15, 15),
    ),
    ("all tokens are used but nobody wants more", (limited(tokens=15), said("hi"), replied("ok")), AwaitMessage(None)),
    (
        "calls above the limit are not run",
        (limited(tool_calls=1), said("hi"), replied(use("a"), use("b"))),
        TripLimit("tool_calls", 1, 2),
    ),
    (
        "calls up to the limit are run",
        (limited(tool_calls=1), said("hi"), replied(use("a"))),
        SettleCalls((wanted("a"),)),
    ),
    ("a limit comes before a pause", (limited(runtime=10), said("hi"), PAUSED), TripLimit("runtime", 10, 10)),
    # 5 · it is paused
    ("a pause comes before open calls", (*TASK, replied(use("a")), PAUSED), AwaitResume()),
    ("a pause comes before the model", (*TASK, PAUSED), AwaitResume()),
    ("a pause comes before the end", (*TASK, replied("done"), PAUSED), AwaitResume()),
    ("what is resumed goes on", (*TASK, PAUSED, RESUMED), CallModel(1, 3)),
    # 7 · tool calls are open
    ("every open call is settled", (*TASK, replied(use("a"), use("b"))), SettleCalls((wanted("a"), wanted("b")))),
    (
        "one result is missing",
        (*TASK, replied(use("a"), use("b")), completed("a", "A")),
        SettleCalls((wanted("b"),)),
    ),
    (
        "a message does not hurry open calls",
        (*TASK, replied(use("a")), said("quick")),
        SettleCalls((wanted("a"),)),
    ),
    (
        "a failure that is tried again leaves the call open",
        (*TASK, replied(use("a")), tool_failed("a", will_retry=True)),
        SettleCalls((wanted("a"),)),
    ),
    # 9 · the model could not be asked, or will not answer
    (
        "a task fails with its model",
        (*TASK, model_failed()),
        Finish("failure", "the model could not be asked: overloaded"),
    ),
    ("a chat waits for a person", (*CHAT, model_failed()), AwaitMessage(60)),
    ("a person's message tries again", (*CHAT, model_failed(), said("?")), CallModel(2, 3)),
    ("a resumption tries again", (*CHAT, model_failed(), RESUMED), CallModel(2, 3)),
    ("a failure that is tried again is none", (*CHAT, model_failed(will_retry=True)), CallModel(1, 2)),
    ("a task that is refused fails", (*TASK, REFUSED), Finish("failure", "the model refused to answer")),
    ("a chat that is refused waits", (*CHAT, REFUSED), AwaitMessage(60)),
    ("a refusal does not swallow what it had not read", (*CHAT, said("or so"), REFUSED), CallModel(2, 3)),
    (
        "calls of a refused reply are never run",
        (*TASK, replied(use("a"), stop_reason="refusal", final=True)),
        Finish("failure", "the model refused to answer"),
    ),
    (
        "a full context cannot be asked again",
        (*TASK, replied(use("a"), stop_reason="model_context_window_exceeded", final=True)),
        Finish("failure", "the conversation no longer fits into the model's context window"),
    ),
    # 10 · the model owes a reply
    ("the first message", TASK, CallModel(1, 1)),
    ("all results are there", (*TASK, replied(use("a")), completed("a", "A")), CallModel(2, 3)),
    ("a denial is a result", (*TASK, replied(use("a")), asked("a"), denied("a")), CallModel(2, 4)),
    ("an expiry is a result", (*TASK, replied(use("a")), asked("a"), expired("a")), CallModel(2, 4)),
    ("an unknown outcome is a result", (*TASK, replied(use("a")), begun("a"), unknown("a")), CallModel(2, 4)),
    ("calls that were cut off are never run", (*TASK, replied(use("a"), stop_reason="max_tokens")), CallModel(2, 2)),
    ("an answer that is not taken", (*TASK, replied("{", problem="no JSON")), CallModel(2, 2)),
    ("an empty reply", (*TASK, replied(final=False)), CallModel(2, 2)),
    ("a paused reply goes on", (*TASK, replied("…", stop_reason="pause_turn")), CallModel(2, 2)),
    ("a message the last reply had not read", (*TASK, said("and"), replied("done", at=1)), CallModel(2, 3)),
    (
        "a message sent while a reply was paused",
        (*TASK, replied("…", stop_reason="pause_turn"), said("and"), replied("done", step=2, at=3)),
        CallModel(3, 4),
    ),
    (
        "four replies in a row brought nothing forward",
        (*TASK, *FOUR_CUT_OFF),
        Finish("failure", "4 replies in a row were cut off, empty or not what was asked for"),
    ),
    ("three may be forgiven", (*TASK, *FOUR_CUT_OFF[:3]), CallModel(4, 4)),
    # 11 · it has had its last word
    ("a task is done", (*TASK, replied("done")), Finish("success", "the model gave its final answer")),
    ("a chat waits", (*CHAT, replied("done")), AwaitMessage(60)),
]


@pytest.mark.parametrize(("events", "step"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_the_first_rule_that_fits_decides(events: tuple[AnyEvent, ...], step: Step) -> None:
    """Given these events, ten seconds after the start, this is the step."""
    assert next_step(session_of(*events), START + timedelta(seconds=10)) == step


def test_running_time_is_counted_from_the_start() -> None:
    """The limit is reached at its second, not before."""
    session = session_of(limited(runtime=10), said("hi"))
    assert next_step(session, START + timedelta(seconds=9.9)) == CallModel(1, 1)
    assert next_step(session, START + timedelta(seconds=10)) == TripLimit("runtime", 10, 10)


def test_a_granted_call_is_settled_with_what_is_known_of_it() -> None:
    """The step carries how far each call has come."""
    step = next_step(session_of(*TASK, replied(use("a")), asked("a"), granted("a")), START)
    assert isinstance(step, SettleCalls)
    assert [(call.state, call.question, call.digest) for call in step.calls] == [
        ("granted", "May a write?", "digest a")
    ]
