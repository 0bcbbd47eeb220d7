"""Most rows are decoded on a shorter way: it must lead to the same place, and hand over whatever is odd."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import encoding
from eventlog.encoding import KNOWN, Row, decode
from eventlog.escaping import ESCAPE
from eventlog.events import LLMResponseReceived, ToolExecutionCompleted
from eventlog.log import LogCorrupted, Recorded
from eventlog.metadata import Metadata
from eventlog.streams import StreamName
from tests.unit.test_golden_events import golden

ID = UUID("0193f1a2-7c00-8abc-8def-0123456789ab")
WRITTEN = datetime(2026, 11, 20, 9, 31)  # noqa: DTZ001 - as the database gives it
OURS = '{"at": "2026-11-20T09:30:00.25Z", "tenant": "acme", "attempt": 1, "schema_version": 1}'

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.integers() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


def row(type_: str, data: str, metadata: str = OURS) -> Row:
    """A row as the database gives it back."""
    return Row(str(ID), StreamName("agent:v1-1"), type_, 3, 17, data, metadata, WRITTEN)


def shown(name: str, value: Any = None) -> str:
    """The example of this class as JSON, with this value where a class lets anything stand."""
    data = golden(name)["data"]
    if name == "ToolExecutionCompleted":
        data["result"] = [{"type": "text", "value": value}]
    return json.dumps(data, ensure_ascii=False).replace(ESCAPE, "")


def exactly(value: Any) -> Any:
    """`value` in a form in which 1 is not 1.0 or True, and 0.0 is not -0.0."""
    match value:
        case dict():
            return {key: exactly(item) for key, item in value.items()}
        case list() | tuple():
            return [exactly(item) for item in value]
        case _:
            return type(value), repr(value)


@given(value=values)
def test_both_ways_give_the_same_values(value: Any) -> None:
    """Text and numbers of every size come out alike, whichever parser read them."""
    it = row("ToolExecutionCompleted", shown("ToolExecutionCompleted", value))
    swift = encoding._swiftly(it.type, it.data, it.metadata, {})
    event, metadata = encoding._carefully(it, WRITTEN, {})
    assert isinstance(event, ToolExecutionCompleted)
    if swift is not None:
        assert exactly(swift.model_dump()) == exactly(event.model_dump())
    found = decode(it)
    assert (exactly(found.event.model_dump()), found.metadata) == (exactly(event.model_dump()), metadata)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_class_goes_the_short_way(name: str) -> None:
    """An event of any class, with nothing escaped in it, is decoded swiftly into what care would make of it."""
    it = row(name, shown(name))
    swift = encoding._swiftly(it.type, it.data, it.metadata, {})
    assert swift is not None
    assert swift == encoding._carefully(it, WRITTEN, {})[0]


@pytest.mark.parametrize(
    ("data", "metadata"),
    [
        ('{"by": "ana", "type": "SessionResumed"}', OURS),  # a field of its own in the way of the tag
        ('{"by": "␛0000"}', OURS),
        ('{"by": "ana"}', '{"at": "2026-11-20T09:30:00+01:00"}'),
        ('{"by": "ana"}', "{}"),
    ],
)
def test_what_is_odd_is_left_to_care(data: str, metadata: str) -> None:
    """Escapes, other writers' metadata and names in the way are no business of the short way."""
    it = row("SessionPaused", data, metadata)
    assert encoding._swiftly(it.type, it.data, it.metadata, {}) is None
    assert decode(it).event == encoding._carefully(it, WRITTEN.replace(tzinfo=UTC), {})[0]


def test_an_old_shape_is_told_by_its_version() -> None:
    """Only data whose version has an upcast is taken the long way; types that have none are not even asked."""
    upcasts = {("SessionPaused", 1): lambda data: {"by": data["who"]}}
    assert encoding._swiftly("SessionPaused", '{"by": "ana"}', OURS, upcasts) is None
    newer = OURS.replace('"schema_version": 1', '"schema_version": 2')
    assert encoding._swiftly("SessionPaused", '{"by": "ana"}', newer, upcasts) is not None
    assert encoding._swiftly("SessionResumed", '{"by": "ana"}', OURS, upcasts) is not None


# -- metadata -------------------------------------------------------------------------------------


def paused(metadata: str = OURS) -> Recorded:
    """An event with this metadata."""
    return decode(row("SessionPaused", '{"by": "ana"}', metadata))


def test_metadata_is_read_when_it_is_asked_for() -> None:
    """It is the same each time, equal to what was given outright, and nobody can put another in its place."""
    found, at = paused(), datetime(2026, 11, 20, 9, 30, 0, 250_000, UTC)
    expected = Metadata(at=at, tenant="acme", attempt=1)
    assert found.metadata is found.metadata
    assert found.metadata == expected
    assert paused() == found == replace(paused(), metadata=expected)
    assert "tenant='acme'" in repr(paused())
    with pytest.raises(FrozenInstanceError):
        found.metadata = expected  # type: ignore[misc]
    with pytest.raises(AttributeError):
        found.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_escapes_in_metadata_are_undone() -> None:
    """Whatever stands in it comes back as it was written."""
    assert paused(OURS.replace("acme", "a␛0000b␛241b")).metadata.tenant == "a\0b␛"


@pytest.mark.parametrize("metadata", [OURS.replace('"acme"', '["secret"]'), OURS.replace("-11-", "-99-")])
def test_metadata_that_is_none_is_named(metadata: str) -> None:
    """At the latest when it is asked for, each time: which event, where it stands, and none of its content."""
    for _ in range(2):
        with pytest.raises(LogCorrupted, match="SessionPaused at position 3 of agent:v1-1") as caught:
            paused(metadata).metadata  # noqa: B018
        assert "secret" not in str(caught.value)


def test_a_reply_keeps_its_money_exact() -> None:
    """Decimals come from their text, not from a float."""
    found = decode(row("LLMResponseReceived", shown("LLMResponseReceived")))
    assert isinstance(found.event, LLMResponseReceived)
    assert str(found.event.cost_usd) == golden("LLMResponseReceived")["data"]["cost_usd"]
