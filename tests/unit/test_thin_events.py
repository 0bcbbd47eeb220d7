"""What Temporal sees of an event: everything the process needs, and not a word of the content.

In the golden examples all text that is content, and nothing else, holds the word CONTENT.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from eventlog import upcasting
from eventlog.approval_terms import ApprovalTerms
from eventlog.events import AnyEvent, LLMResponseReceived, SessionPaused, SessionStarted, ToolCall
from eventlog.facts import ContentMark
from eventlog.marks import Mark, thin
from eventlog.terms import Capabilities
from projections.evolution import evolve
from projections.session import Session
from tests.unit.test_golden_events import CLASSES, recorded

WITHOUT_CONTENT = {
    "SessionResumed",
    "SessionStepped",
    "BreakpointSet",
    "BreakpointCleared",
    "BreakpointReached",
    "BudgetExceeded",
    "BudgetWarned",
    "LLMCallRequested",
    "ApprovalExpired",
    "ApprovalReused",
    "HumanInputExpired",
}


def content_fields(kind: type[Any]) -> dict[str, object]:
    """The fields that are marked as content, with what stands in their place in a thin event."""
    return {
        name: mark.empty
        for name, field in kind.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, ContentMark)
    }


LATER: dict[str, dict[str, Any]] = {
    "SessionStarted": {
        "policy": {"layers": "CONTENT"},
        "fallback_models": ("CONTENT",),
        "approval": ApprovalTerms(approvers=(("CONTENT",),)),
    },
    "ApprovalRequested": {"token_sha256": "CONTENT"},
    "LLMCallFailed": {"counted_usd": Decimal("0.25")},
}
"""Content of fields that came after their class's example was released."""


@pytest.mark.parametrize("kind", CLASSES)
def test_a_mark_holds_no_content(kind: type[Any]) -> None:
    """The JSON that goes through Temporal has none of it, for every class."""
    event = recorded(kind.__name__).event
    whole = json.dumps(event.model_dump(mode="json"))
    assert ("CONTENT" in whole) == (kind.__name__ not in WITHOUT_CONTENT)
    assert "CONTENT" not in Mark.of(7, event).model_dump_json()


@pytest.mark.parametrize("kind", CLASSES)
def test_content_is_replaced(kind: type[Any]) -> None:
    """Every field marked as content holds some in its example, and nothing in the thin event."""
    event = recorded(kind.__name__).event.model_copy(update=LATER.get(kind.__name__, {}))
    whole, thinned = event.model_dump(), thin(event)
    for name, empty in content_fields(kind).items():
        assert whole[name] != empty
        assert isinstance(whole[name], int | Decimal) or name == "tool_name" or "CONTENT" in json.dumps(whole[name])
        assert getattr(thinned, name) == empty


@pytest.mark.parametrize("kind", CLASSES)
def test_all_else_stays_as_it_is(kind: type[Any]) -> None:
    """A thin event is of the same class, and fields that are no content are unchanged."""
    event = recorded(kind.__name__).event
    thinned = thin(event)
    assert type(thinned) is kind
    kept = set(kind.model_fields) - set(content_fields(kind)) - {"tool_calls"}
    assert thinned.model_dump(include=kept) == event.model_dump(include=kept)
    assert thin(thinned) == thinned


def test_the_calls_of_a_reply_keep_their_names() -> None:
    """A thin reply still says which tools are to be run, in order, but not with what."""
    event = recorded("LLMResponseReceived").event
    assert isinstance(event, LLMResponseReceived)
    thinned = thin(event)
    assert isinstance(thinned, LLMResponseReceived)
    assert [(call.id, call.name, call.title) for call in thinned.tool_calls] == [
        (call.id, call.name, call.title) for call in event.tool_calls
    ]
    assert [call.arguments for call in thinned.tool_calls] == [{}]
    assert content_fields(ToolCall) == {"arguments": {}}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_mark_survives_its_way_through_temporal(kind: type[Any]) -> None:
    """Written as JSON and read again it is the same mark."""
    mark = Mark.of(7, recorded(kind.__name__).event)
    assert Mark.model_validate_json(mark.model_dump_json()) == mark


@pytest.mark.parametrize("kind", CLASSES)
def test_the_process_sees_the_same_session(kind: type[Any]) -> None:
    """Folding a thin event gives the state that folding the whole one gives."""
    event: AnyEvent = recorded(kind.__name__).event
    started = evolve(Session(), 0, recorded("SessionStarted").event)
    replied = evolve(started, 1, recorded("LLMResponseReceived").event)
    for session in (Session(), started, replied):
        assert evolve(session, 7, thin(event)) == evolve(session, 7, event)


def test_marks_of_an_old_shape_are_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Temporal's history holds is read by the upcasters of the log, whichever version a mark was made by."""
    monkeypatch.setattr(SessionPaused, "version", 3)
    steps = {
        ("SessionPaused", 1): lambda data: {**data, "who": data["user"]},
        ("SessionPaused", 2): lambda data: {"by": data["who"]},
    }
    monkeypatch.setattr(upcasting, "UPCASTS", steps)
    mark = Mark.of(7, SessionPaused(by="ana", reason="CONTENT"))
    written = json.loads(mark.model_dump_json())
    assert written == {"position": 7, "type": "SessionPaused", "version": 3, "by": "ana"}
    for old in ({"user": "ana"}, {"version": 2, "who": "ana"}, {"version": 3, "by": "ana"}):
        assert Mark.model_validate({"position": 7, "type": "SessionPaused", **old}) == mark
        assert Mark.model_validate({"position": 7, "event": {"type": "SessionPaused", **old}}) == mark


def test_what_0_1_0_said_of_a_tool_needs_no_saying() -> None:
    """It named the tool in the mark of its result; read today, that is the mark of today."""
    event = recorded("ToolExecutionCompleted").event
    said = thin(event).model_dump(exclude={"result", "execution_time_ms"})
    assert Mark.model_validate({"position": 7, "event": {**said, "tool_name": "look"}}) == Mark.of(7, event)


def test_a_mark_says_only_what_is_not_taken_for_granted() -> None:
    """A reply that calls one tool needs no more than this in Temporal's history."""
    event = recorded("LLMResponseReceived").event
    assert isinstance(event, LLMResponseReceived)
    plain = event.model_copy(update={"stop_reason": "tool_use", "final": False, "cost_usd": None})
    written = json.loads(Mark.of(7, plain).model_dump_json())
    assert set(written) == {"position", "type", "step", "at", "tool_calls", "token_usage"}
    assert all(set(call) == {"id", "name", "title"} for call in written["tool_calls"])
    assert set(written["token_usage"]) <= {"input", "output", "cache_read", "cache_write"}


def test_a_mark_written_by_0_1_0_is_read() -> None:
    """It said more, and called some things by longer names."""
    call = {"id": "call_1", "name": "look", "arguments": {}, "title": "look a"}
    reply = {"step": 1, "at": 1, "tool_calls": [call], "stop_reason": "tool_use", "final": False, "cost_usd": None}
    usage = {"input_tokens": 3, "output_tokens": 4}
    old = {"position": 3, "event": {"type": "LLMResponseReceived", **reply, "token_usage": usage}}
    mark = Mark.model_validate(old)
    assert isinstance(mark.event, LLMResponseReceived)
    assert (mark.event.token_usage.total, mark.event.tool_calls[0].title, mark.event.final) == (7, "look a", False)
    assert Mark.model_validate_json(mark.model_dump_json()) == mark


def test_capabilities_stay_in_the_log() -> None:
    """What a tool needs is recorded with the session and passes through no mark; without it nothing is written."""
    started = recorded("SessionStarted").event
    assert isinstance(started, SessionStarted)
    plain = started.tools[0]
    assert "capabilities" not in plain.model_dump_json()
    needy = plain.model_copy(update={"capabilities": Capabilities(secrets=("BANK_TOKEN",))})
    event = started.model_copy(update={"tools": (needy,)})
    assert "BANK_TOKEN" in event.model_dump_json()
    assert "BANK_TOKEN" not in Mark.of(0, event).model_dump_json()
    assert evolve(Session(), 0, event).tools == {plain.name: plain}
    assert evolve(Session(), 0, thin(event)).tools == {plain.name: plain}
