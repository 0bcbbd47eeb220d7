"""One example of every shape an event ever had, as it stands in logs that were written before."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest

from eventlog.encoding import KNOWN, Row, decode, encode
from eventlog.events import AnyEvent, UnknownEvent
from eventlog.log import Entry, Recorded
from eventlog.schema import VERSIONS
from eventlog.streams import StreamName

FOLDER = Path(__file__).parents[1] / "golden" / "events"
CLASSES: tuple[type[Any], ...] = get_args(get_args(AnyEvent)[0])
ID = UUID("0193f1a2-7c00-8abc-8def-0123456789ab")


def golden(name: str, version: int | None = None) -> dict[str, Any]:
    """The example of this class, in its newest shape or an older one: its type, data and metadata."""
    shape = version or VERSIONS.get(name, 1)
    found: dict[str, Any] = json.loads((FOLDER / f"v{shape}" / f"{name}.json").read_text())
    return found


def recorded(name: str, version: int | None = None) -> Recorded:
    """The example of this class, decoded."""
    row = golden(name, version)
    written = datetime(2026, 11, 20, 9, 31)  # noqa: DTZ001 - as the database gives it
    data, metadata = json.dumps(row["data"], ensure_ascii=False), json.dumps(row["metadata"])
    return decode(Row(str(ID), StreamName("agent:v1-1"), row["type"], 0, 1, data, metadata, written))


def test_every_event_has_an_example() -> None:
    """No shape of a class is without one, and no example without a class: what logs hold is never forgotten."""
    examples = {(path.stem, int(path.parent.name.removeprefix("v"))) for path in FOLDER.glob("v*/*.json")}
    assert examples == {(kind.__name__, version) for kind in CLASSES for version in range(1, kind.version + 1)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("v*/*.json")), ids=lambda path: f"{path.stem} {path.parent.name}")
def test_every_shape_is_read(path: Path) -> None:
    """An event of any version that was ever released is decoded into the class of today."""
    version = int(path.parent.name.removeprefix("v"))
    assert golden(path.stem, version)["metadata"]["schema_version"] == version
    assert type(recorded(path.stem, version).event).__name__ == path.stem


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
    """An example leaves no field of its class out, but those that came later and may be left out."""
    later = {name for name, field in kind.model_fields.items() if field.exclude_if is not None}
    assert set(golden(kind.__name__)["data"]) | {"type"} == set(kind.model_fields) - later
