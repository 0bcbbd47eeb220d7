"""What passes through Temporal comes out as it went in."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from activities.steps import Tell
from projections.requests import Approve, Say
from workflows.payloads import PayloadConverter, data_converter

CONVERTER = PayloadConverter()
halves = st.text(st.characters(codec=None) | st.sampled_from("\ud83d\udc00\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | halves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(halves, inner, max_size=3),
    max_leaves=8,
)


def through(value: object, *hints: type[Any]) -> Any:
    """The value after it was written and read."""
    [read] = CONVERTER.from_payloads(CONVERTER.to_payloads([value]), list(hints) or None)
    return read


@given(values)
def test_any_json_survives(value: object) -> None:
    """Halves of characters, which pydantic's own way neither writes nor reads, included."""
    assert through(value) == value


@given(st.dictionaries(halves, values, max_size=3))
def test_a_request_survives_whatever_its_arguments(arguments: dict[str, Any]) -> None:
    """A model that holds such values is written and read as that model."""
    told = Tell(started_ms=1, key="k", request=Approve(call_id="c", edited_arguments=arguments))
    assert through(told, Tell) == told


def test_other_types_are_written_the_same_way_beside_half_a_character() -> None:
    """Times and decimals are what they are elsewhere."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    whole, half = (through({"at": noon, "cost": Decimal("0.1"), "text": text}) for text in ("x", "\ud83d"))
    assert {**whole, "text": "\ud83d"} == half


def test_what_a_type_cannot_hold_is_refused() -> None:
    """The types decide, as with any other input."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'{"message": "\\ud83d"}')
    assert CONVERTER.from_payload(payload) == {"message": "\ud83d"}
    with pytest.raises(ValidationError):
        CONVERTER.from_payload(payload, Say)


def test_payloads_are_the_same_in_every_context() -> None:
    """The sandbox, which answers that there is none, relies on it."""
    context = WorkflowSerializationContext(namespace="default", workflow_id="t")
    assert data_converter.with_context(context) is data_converter
    assert data_converter.external_storage is None
