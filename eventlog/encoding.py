"""Between an event and the row it is kept in: class name as type, the rest as data, upcast where it is old."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias, get_args
from uuid import UUID

from pydantic import ValidationError

from eventlog.escaping import UNSAFE, from_json, to_json
from eventlog.events import AnyEvent, Event, UnknownEvent
from eventlog.log import Entry, EntryRejected, LogCorrupted, Recorded
from eventlog.metadata import Metadata
from eventlog.streams import StreamName
from llm.messages import JsonObject

MOST_BYTES = 64 * 1024 * 1024
"""The largest entry, data and metadata together; `jsonb` itself ends at 256 MB."""

Upcasts: TypeAlias = Mapping[tuple[str, int], Callable[[JsonObject], JsonObject]]
UPCASTS: Upcasts = MappingProxyType({})
"""How data of an old shape becomes data of the next: by event type and the version the data has."""

KNOWN: Mapping[str, type[Event]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(get_args(AnyEvent)[0]) if kind is not UnknownEvent}
)
"""The event classes by the name they are written under."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An entry as the database takes it."""

    type: str
    data: str
    """Canonical JSON: events of one type say the same if, and only if, these are equal."""
    metadata: str


@dataclass(frozen=True, slots=True)
class Row:
    """An event as the database gives it back; the columns in Message DB's order."""

    id: str
    stream: str
    type: str
    position: int
    global_position: int
    data: str | None
    metadata: str | None
    time: datetime
    """UTC, without saying so."""


def encode(entry: Entry) -> Encoded:
    """The entry as rows are made of it, or `EntryRejected` that says why it cannot be kept."""
    event, metadata = entry.event, entry.metadata
    if not isinstance(event, UnknownEvent):
        metadata = metadata.model_copy(update={"schema_version": event.version})
    encoded = Encoded(_type_of(event), _content_of(event), to_json(metadata.model_dump(exclude_none=True)))
    size = len(encoded.data.encode()) + len(encoded.metadata.encode())
    if size > MOST_BYTES:
        raise EntryRejected(
            f"{encoded.type} has {size:,} bytes of JSON and an entry at most {MOST_BYTES:,}: "
            "keep large content elsewhere and refer to it"
        )
    return encoded


def same_content(encoded: Encoded, recorded: Recorded) -> bool:
    """Whether what is to be written says what already stands there."""
    return (encoded.type, encoded.data) == (_type_of(recorded.event), _content_of(recorded.event))


def same_writing(encoded: Encoded, recorded: Recorded) -> bool:
    """Whether what stands there is this very entry, written by this very attempt."""
    return same_content(encoded, recorded) and encoded.metadata == to_json(
        recorded.metadata.model_dump(exclude_none=True)
    )


def _type_of(event: AnyEvent) -> str:
    name = event.type_name if isinstance(event, UnknownEvent) else type(event).__name__
    if not name or UNSAFE.search(name):
        raise EntryRejected(f"{name!r} cannot be the type of an event: use printable characters")
    return name


def _content_of(event: AnyEvent) -> str:
    try:
        return to_json(event.data if isinstance(event, UnknownEvent) else event.model_dump(exclude={"type"}))
    except (TypeError, ValueError, RecursionError) as error:
        raise EntryRejected(f"{_type_of(event)} cannot be written as JSON: {error}") from error


def decode(row: Row, upcasts: Upcasts = UPCASTS) -> Recorded:
    """The event that stands in the row, or `LogCorrupted` that says what is wrong with it."""
    written = row.time.replace(tzinfo=UTC)
    try:
        data, stored = _json(row.data), _json(row.metadata)
        metadata = _metadata_of(stored, written, lenient=row.type not in KNOWN)
        event = _event_of(row.type, metadata.schema_version, data, upcasts)
    except ValidationError as error:
        raise LogCorrupted(f"{_place(row)} does not validate: {_problems(error)}") from error
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise LogCorrupted(f"{_place(row)} cannot be read: {error!r}") from error
    return Recorded(
        id=UUID(row.id),
        stream=StreamName(row.stream),
        position=row.position,
        global_position=row.global_position,
        time=written,
        event=event,
        metadata=metadata,
    )


def _json(text: str | None) -> Any:
    return None if text is None else from_json(text)


def _event_of(name: str, version: int, data: Any, upcasts: Upcasts) -> AnyEvent:
    if name not in KNOWN:
        return _unknown(name, data)
    if not isinstance(data, dict):
        raise TypeError(f"the data is {type(data).__name__}, not a JSON object")
    while upcast := upcasts.get((name, version)):
        data, version = upcast(data), version + 1
    event: AnyEvent = KNOWN[name].model_validate({**data, "type": name}, extra="ignore")  # type: ignore[assignment]
    return event


def _unknown(name: str, data: Any) -> UnknownEvent:
    """Whatever somebody else wrote: an object as it is, anything else as the `value` of one."""
    if data is None:
        return UnknownEvent(type_name=name, data={})
    return UnknownEvent(type_name=name, data=data if isinstance(data, dict) else {"value": data})


def _metadata_of(stored: Any, written: datetime, *, lenient: bool) -> Metadata:
    """Other writers leave out the time or all of it; those of events we do not know may write what they like."""
    found = stored if isinstance(stored, dict) else {}
    try:
        return Metadata.model_validate({"at": written, **found}, extra="ignore")
    except ValidationError:
        if lenient:
            return Metadata(at=written)
        raise


def _place(row: Row) -> str:
    return f"{row.type} at position {row.position} of {row.stream}"


def _problems(error: ValidationError) -> str:
    """What is wrong and where, without the content it is wrong in."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'data'}: {problem['msg']}" for problem in found)
