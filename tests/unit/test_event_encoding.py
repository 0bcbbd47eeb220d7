"""Between events and rows: sizes, types, versions, and what is refused."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from eventlog.encoding import Row, decode, encode
from eventlog.events import SessionPaused, UnknownEvent, UserMessageAdded
from eventlog.log import Entry, EntryRejected, LogCorrupted
from eventlog.metadata import Metadata
from eventlog.streams import StreamName
from eventlog.upcasting import Upcasts
from tests.unit.test_golden_events import golden

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def entry(event: Any, **metadata: Any) -> Entry:
    """An entry of this event."""
    return Entry(uuid4(), event, Metadata(at=AT, **metadata))


def row(type_: str, data: Any, metadata: Any = None) -> Row:
    """A row as the database gives it back."""
    written = None if metadata is None else json.dumps(metadata)
    return Row(str(uuid4()), StreamName("agent:v1-1"), type_, 3, 17, json.dumps(data), written, AT.replace(tzinfo=None))


def test_an_event_is_its_type_and_its_data() -> None:
    """The type is the class's name, and the data does not repeat it; keys are in order."""
    encoded = encode(entry(SessionPaused(by="ana")))
    assert (encoded.type, encoded.data) == ("SessionPaused", '{"by":"ana","reason":null}')


def test_metadata_says_only_what_is_known() -> None:
    """What is not set is not written, and the version is the class's own."""
    encoded = encode(entry(SessionPaused(by="ana"), schema_version=99))
    assert json.loads(encoded.metadata) == {
        "at": "2026-11-20T09:30:00Z",
        "schema_version": 1,
        "tenant": "default",
        "principal": "anonymous",
    }


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (UnknownEvent(type_name="", data={}), "cannot be the type"),
        (UnknownEvent(type_name="a\0", data={}), "cannot be the type"),
        (UnknownEvent(type_name="Odd", data={"value": b"bytes"}), "bytes is no JSON type"),
        (UnknownEvent(type_name="Odd", data={"value": {1: 2}}), "the key 1 is not text"),
        (UserMessageAdded(message="", sender="", attachments=({"value": object()},)), "no JSON type"),
    ],
)
def test_what_is_no_json_is_rejected(event: Any, problem: str) -> None:
    """The error says what cannot be written."""
    with pytest.raises(EntryRejected, match=problem):
        encode(entry(event))


def test_endless_nesting_is_rejected() -> None:
    """A value that is nested too deeply to be written, or holds itself, is named and does not crash the process."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EntryRejected, match="Odd cannot be written as JSON"):
        encode(entry(UnknownEvent(type_name="Odd", data={"value": endless})))


def test_old_data_is_brought_up_to_date_step_by_step() -> None:
    """Each upcast makes the next version's shape out of one; the newest class validates the result."""
    upcasts: Upcasts = {
        ("SessionPaused", 1): lambda data: {"who": data["user"]},
        ("SessionPaused", 2): lambda data: {"by": data["who"]},
    }
    for version, data in [(1, {"user": "ana"}), (2, {"who": "ana"}), (3, {"by": "ana"})]:
        found = decode(row("SessionPaused", data, {"at": "2026-11-20T09:30:00Z", "schema_version": version}), upcasts)
        assert found.event == SessionPaused(by="ana")


def test_an_upcast_that_fails_is_named() -> None:
    """Data that is not even of its old shape is no event."""
    upcasts: Upcasts = {("SessionPaused", 1): lambda data: {"by": data["user"]}}
    with pytest.raises(LogCorrupted, match="SessionPaused at position 3 of agent:v1-1 cannot be read: KeyError"):
        decode(row("SessionPaused", {}), upcasts)


def test_fields_that_are_not_known_are_ignored_at_every_depth() -> None:
    """A newer writer may add fields, also inside of parts."""
    data = golden("LLMResponseReceived")["data"]
    data["mood"], data["token_usage"]["joules"], data["tool_calls"][0]["colour"] = "good", 5, "red"
    found = decode(row("LLMResponseReceived", data))
    assert not found.event.model_extra


def test_a_type_called_unknown_is_unknown() -> None:
    """Nobody can smuggle in the class that stands for what is not known."""
    found = decode(row("UnknownEvent", {"type_name": "SessionPaused", "data": {}}))
    assert found.event == UnknownEvent(type_name="UnknownEvent", data={"type_name": "SessionPaused", "data": {}})
