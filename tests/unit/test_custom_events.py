"""Classes of custom events: what they may be, how they are written, and how what was written is read."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import new_class
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from eventlog.custom import CustomEvent, InvalidEvent, RefusedEvent
from eventlog.encoding import Row, decode, encode
from eventlog.events import UnknownEvent
from eventlog.log import Entry, Recorded
from eventlog.releases import Incompatible, export, problems
from eventlog.schema import custom_schema
from eventlog.streams import StreamName
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from examples.custom_events import InvoicePaid

FOLDER = Path(__file__).parents[1] / "golden" / "custom"
ID = UUID("0193f1a2-7c00-8abc-8def-0123456789ab")
VOCABULARY = Vocabulary([InvoicePaid])


def golden(version: int) -> dict[str, Any]:
    """A row as it stands in logs since this version was the newest."""
    found: dict[str, Any] = json.loads((FOLDER / f"acme.InvoicePaid.{version}.json").read_text())
    return found


def recorded(row: Mapping[str, Any]) -> Recorded:
    """The row, decoded."""
    written = datetime(2026, 11, 20, 9, 31)  # noqa: DTZ001 - as the database gives it
    data, metadata = json.dumps(row["data"]), json.dumps(row["metadata"])
    return decode(Row(str(ID), StreamName("agent:v1-1"), row["type"], 4, 5, data, metadata, written))


@pytest.mark.parametrize("version", [1, 2])
def test_a_row_is_read_and_written_again_unchanged_without_its_plugin(version: int) -> None:
    """Whoever copies a stream needs no plugins, and changes nothing."""
    row = golden(version)
    found = recorded(row)
    assert found.event == UnknownEvent(type_name=row["type"], data=row["data"], schema_version=version)
    encoded = encode(Entry(ID, found.event, found.metadata))
    assert (encoded.type, json.loads(encoded.data), json.loads(encoded.metadata)) == tuple(row.values())


def test_every_shape_is_read_into_the_class_of_today() -> None:
    """What an older version wrote passes its upcaster."""
    assert InvoicePaid.read(recorded(golden(1))) == InvoicePaid(invoice="17", amount=Decimal("39.90"), currency="EUR")
    assert InvoicePaid.read(recorded(golden(2))) == InvoicePaid(invoice="18", amount=Decimal("12.50"), currency="CHF")


def test_what_a_newer_writer_added_is_left_out() -> None:
    """A process that was not upgraded yet reads on."""
    newer = golden(2)
    newer["data"]["colour"] = "blue"
    newer["metadata"]["schema_version"] = 3
    assert InvoicePaid.read(recorded(newer)) == InvoicePaid(invoice="18", amount=Decimal("12.50"), currency="CHF")


def test_a_row_that_does_not_fit_is_told_with_its_place() -> None:
    """Whoever folds it learns which row it is; its headline is left out."""
    odd = recorded({**golden(2), "data": {"amount": "much"}})
    with pytest.raises(RefusedEvent, match=r"position 4 of agent:v1-1: acme\.InvoicePaid does not take .* invoice"):
        InvoicePaid.read(odd)
    assert isinstance(odd.event, UnknownEvent)
    assert VOCABULARY.headline(odd.event) == ""


def test_values_come_back_as_they_were() -> None:
    """Also those for which JSON has no word."""

    class Measured(CustomEvent):
        """Something was measured."""

        namespace = "lab"
        value: float
        raw: bytes
        exact: Decimal
        at: datetime

    written = Measured(value=math.inf, raw=b"\xff\0", exact=Decimal("1.10"), at=datetime(2026, 1, 2)).written()  # noqa: DTZ001
    row = {"type": written.type_name, "data": written.data, "metadata": {"at": "2026-11-20T09:30:00Z"}}
    found = Measured.read(recorded(row))
    assert found is not None
    assert found.written() == written
    assert (found.value, found.raw, str(found.exact)) == (math.inf, b"\xff\0", "1.10")


def defined(name: str = "Bad", **body: Any) -> type[CustomEvent]:
    """A class of events, defined as a plugin would."""
    return new_class(name, (CustomEvent,), exec_body=lambda namespace: namespace.update(__module__=__name__, **body))


@pytest.mark.filterwarnings("ignore:Field name")
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"namespace": "acme"}, "Bad: it has no docstring"),
        ({"__doc__": "Bad."}, "Bad: it says nothing of whose event it is"),
        ({"__doc__": "Bad.", "namespace": "Acme"}, "'Acme.Bad' cannot be its name"),
        ({"__doc__": "Bad.", "namespace": "perdure"}, "'perdure.Bad' cannot be its name"),
        ({"__doc__": "Bad.", "namespace": "acme", "name": "Überfällig"}, "'acme.Überfällig' cannot be its name"),
        ({"__doc__": "Bad.", "namespace": "acme", "version": 3}, "nobody reads version 1, 2"),
        (
            {"__doc__": "Bad.", "namespace": "acme", "__annotations__": {"version": int}},
            "a field cannot be called 'version'",
        ),
    ],
)
def test_a_class_that_cannot_be_used_is_told_when_it_is_defined(body: dict[str, Any], problem: str) -> None:
    """The error names the class, what is wrong with it, and what to do."""
    with pytest.raises(InvalidEvent) as refused:
        defined(**body)
    assert problem in str(refused.value)


def test_fields_that_are_no_json_are_refused() -> None:
    """No schema can be made of them."""
    odd = defined(
        __doc__="Odd.",
        namespace="acme",
        __annotations__={"path": Path, "thing": Vocabulary},
        model_config={"arbitrary_types_allowed": True},
    )
    with pytest.raises(InvalidEvent, match=r"acme\.Bad: its fields cannot all be written as JSON"):
        Vocabulary([odd])


def test_two_classes_of_one_name_are_refused() -> None:
    """The stream could not tell them apart."""
    body = {"__doc__": "Good.", "namespace": "acme"}
    with pytest.raises(InvalidEvent, match=r"two events are called 'acme\.Bad'"):
        Vocabulary([defined(**body), defined(**body)])


def test_a_schema_describes_what_stands_in_the_row() -> None:
    """It has an id with the namespace and the version, and what is written fits it."""
    schema = custom_schema(InvoicePaid)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(golden(2)["data"])
    assert schema["$id"] == "urn:perdure:event:acme.InvoicePaid:2"
    assert schema["description"] == "An invoice was paid."
    assert schema["properties"]["invoice"]["description"] == "The number on the invoice."
    assert "additionalProperties" not in schema


def test_a_plugins_schemas_are_kept_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """What is exported is held against the classes of today; a change that loses old data is told with what to do."""
    assert "acme.InvoicePaid.2.json" in export(tmp_path, VOCABULARY)
    assert list(problems(tmp_path, VOCABULARY)) == [], "version 1 was exported by nobody, and nobody misses it"
    narrow = defined(
        "InvoicePaid",
        __doc__="An invoice was paid.",
        namespace="acme",
        version=2,
        upcasts={1: dict},
        __annotations__={"invoice": int},
    )
    with pytest.raises(Incompatible) as refused:
        export(tmp_path, Vocabulary([narrow]))
    assert {each.problem for each in refused.value.problems} >= {"amount is gone, or renamed"}
    assert all("version = 3 in the class" in each.remedy for each in refused.value.problems)
    [gone] = [each for each in problems(tmp_path, NO_EVENTS) if each.broken]
    assert "name its plugin in PERDURE_PLUGINS" in gone.remedy
