"""Between an event and the row it is kept in: class name as type, the rest as data, upcast where it is old."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_args
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from eventlog.escaping import ESCAPE, UNSAFE, ArtifactMissing, from_json, to_json
from eventlog.events import AnyEvent, UnknownEvent
from eventlog.facts import Event
from eventlog.log import Entry, EntryRejected, LogCorrupted, Recorded
from eventlog.metadata import Metadata
from eventlog.streams import StreamName
from eventlog.upcasting import UPCASTS, Upcasts

MOST_BYTES = 64 * 1024 * 1024
"""The largest entry, data and metadata together; `jsonb` itself ends at 256 MB."""

KNOWN: Mapping[str, type[Event]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(get_args(AnyEvent)[0]) if kind is not UnknownEvent}
)
"""The event classes by the name they are written under."""

_OURS = re.compile(r'\{"at": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z"')
"""How the database begins to show metadata that we wrote: the shortest key comes first."""
_read_id = TypeAdapter(UUID).validator.validate_python
_read_metadata = TypeAdapter(Metadata).validator.validate_json
_READERS = {name: TypeAdapter(kind).validator.validate_json for name, kind in KNOWN.items()}
"""The validators themselves: every event of every fold passes through them."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An entry as the database takes it."""

    type: str
    data: str
    """Canonical JSON: events of one type say the same if, and only if, these are equal."""
    metadata: str


class Row(NamedTuple):
    """An event as the database gives it back; the columns in Message DB's order."""

    id: str
    stream: StreamName
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
    if not isinstance(event, UnknownEvent) and metadata.schema_version != event.version:
        metadata = metadata.model_copy(update={"schema_version": event.version})
    encoded = Encoded(_type_of(event), _content_of(event), _written(metadata))
    if len(encoded.data) + len(encoded.metadata) > MOST_BYTES // 4:  # a character has at most four bytes
        _refuse_giant(encoded)
    return encoded


def _refuse_giant(encoded: Encoded) -> None:
    size = len(encoded.data.encode()) + len(encoded.metadata.encode())
    if size > MOST_BYTES:
        raise EntryRejected(
            f"{encoded.type} has {size:,} bytes of JSON and an entry at most {MOST_BYTES:,}: "
            "keep large content elsewhere and refer to it"
        )


def same_content(encoded: Encoded, recorded: Recorded) -> bool:
    """Whether what is to be written says what already stands there."""
    return (encoded.type, encoded.data) == (_type_of(recorded.event), _content_of(recorded.event))


def same_writing(encoded: Encoded, recorded: Recorded) -> bool:
    """Whether what stands there is this very entry, written by this very attempt."""
    return same_content(encoded, recorded) and encoded.metadata == _written(recorded.metadata)


def _written(metadata: Metadata) -> str:
    """Metadata as JSON, in the order of its fields: pydantic's own writer, unless something in it needs an escape."""
    try:
        text = metadata.model_dump_json(exclude_none=True)
    except PydanticSerializationError:  # a lone surrogate
        text = ESCAPE
    safe = ESCAPE not in text and "\\u0000" not in text
    return text if safe else to_json(metadata.model_dump(exclude_none=True))


def _type_of(event: AnyEvent) -> str:
    if not isinstance(event, UnknownEvent):
        return type(event).__name__
    name = event.type_name
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
    id_, stream, name, position, global_position, data, metadata, time = row
    written = datetime.combine(time, time.time(), UTC)  # five times as fast as `replace`
    known: Metadata | Callable[[], Metadata] = partial(_asked_for, row)
    event = _swiftly(name, data, metadata, upcasts)
    if event is None:
        event, known = _carefully(row, written, upcasts)
    size = len(data) if data else 0
    return Recorded(_read_id(id_), stream, position, global_position, written, event, known, size)


def _swiftly(name: str, data: str | None, metadata: str | None, upcasts: Upcasts) -> AnyEvent | None:
    """What nearly every row holds: an event of a class we know, in its newest shape, written by us, nothing escaped.

    Its JSON is validated while it is parsed. Whatever is odd about a row is left to `_carefully`, which decides.
    """
    read = _READERS.get(name)
    if read is None or not data or not metadata or ESCAPE in data or not _OURS.match(metadata):
        return None
    try:
        if upcasts and _is_old(name, metadata, upcasts):
            return None
        event: AnyEvent = read(data, extra="ignore")
    except ValueError:
        return None
    return event


def _is_old(name: str, metadata: str, upcasts: Upcasts) -> bool:
    if all(name != each for each, _ in upcasts):
        return False
    return (name, _read_metadata(metadata, extra="ignore").schema_version) in upcasts


def _asked_for(row: Row) -> Metadata:
    """The metadata of a row that was read swiftly: few who read an event look at it, and it costs as much again."""
    with _corruption_named(row):
        return _metadata_of(_json(row.metadata), row.time.replace(tzinfo=UTC), lenient=False)


def _carefully(row: Row, written: datetime, upcasts: Upcasts) -> tuple[AnyEvent, Metadata]:
    """Whatever others wrote, old shapes, and what must be unescaped."""
    with _corruption_named(row):
        data, stored = _json(row.data), _json(row.metadata)
        metadata = _metadata_of(stored, written, lenient=row.type not in KNOWN)
        return _event_of(row.type, metadata.schema_version, data, upcasts), metadata


@contextmanager
def _corruption_named(row: Row) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise LogCorrupted(f"{_place(row)} does not validate: {_problems(error)}") from error
    except ArtifactMissing as error:
        raise LogCorrupted(f"{_place(row)} cannot be read: {error}") from error
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise LogCorrupted(f"{_place(row)} cannot be read: {error!r}") from error


def _json(text: str | None) -> Any:
    return None if text is None else from_json(text)


def _event_of(name: str, version: int, data: Any, upcasts: Upcasts) -> AnyEvent:
    if name not in KNOWN:
        return _unknown(name, version, data)
    if not isinstance(data, dict):
        raise TypeError(f"the data is {type(data).__name__}, not a JSON object")
    while upcast := upcasts.get((name, version)):
        data, version = upcast(data), version + 1
    event: AnyEvent = KNOWN[name].model_validate({**data, "type": name}, extra="ignore")  # type: ignore[assignment]
    return event


def _unknown(name: str, version: int, data: Any) -> UnknownEvent:
    """Whatever somebody else wrote: an object as it is, anything else as the `value` of one."""
    if not isinstance(data, dict):
        data = {} if data is None else {"value": data}
    return UnknownEvent(type_name=name, data=data, schema_version=version)


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
