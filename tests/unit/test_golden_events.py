"""One example of every event, as it stands in logs that were written before."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest

from eventlog.encoding import KNOWN, Row, decode, encode
from eventlog.events import AnyEvent, UnknownEvent
from eventlog.log import Entry, Recorded

FOLDER = Path(__file__).parents[1] / "golden" / "events" / "v1"
CLASSES: tuple[type[Any], ...] = get_args(get_args(AnyEvent)[0])
ID = UUID("0193f1a2-7c00-8abc-8def-0123456789ab")


def golden(name: str) -> dict[str, Any]:
    """The example of this class: its type, data and metadata."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def recorded(name: str) -> Recorded:
    """The example of this class, decoded."""
    row = golden(name)
    written = datetime(2026, 11, 20, 9, 31)  # noqa: DTZ001 - as the database gives it
    data, metadata = json.dumps(row["data"], ensure_ascii=False), json.dumps(row["metadata"])
    return decode(Row(str(ID), "agent:v1-1", row["type"], 0, 1, data, metadata, written))


def test_every_event_has_an_example() -> None:
    """No class is without one, and no example without a class."""
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(kind.__name__ for kind in CLASSES)


def test_every_event_is_written_under_its_name() -> None:
    """Each class's tag is its name, and every class but the unknown is known to the decoder."""
    assert {kind.model_fields["type"].default for kind in CLASSES} == {*KNOWN, "UnknownEvent"}
    assert all(KNOWN[name].__name__ == name for name in KNOWN)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_example_is_read_and_written_again_unchanged(kind: type[Any]) -> None:
    """What an older log holds is decoded into its class and encoded into the same JSON."""
    found = recorded(kind.__name__)
    assert type(found.event) is kind
    encoded = encode(Entry(ID, found.event, found.metadata))
    row = golden(kind.__name__)
    assert encoded.type == row["type"]
    assert json.loads(encoded.data) == row["data"]
    assert json.loads(encoded.metadata) == row["metadata"]


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not UnknownEvent])
def test_an_example_has_every_field(kind: type[Any]) -> None:
    """An example leaves no field of its class out."""
    assert set(golden(kind.__name__)["data"]) | {"type"} == set(kind.model_fields)
