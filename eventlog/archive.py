"""A stream in one file: JSON Lines, the first of which says what follows and how it is checked.

    {"format": "perdure-thread", "version": 1, "thread_id": …, "events": …, "sha256": of all bytes after this line}
    {"position": 0, "id": …, "type": …, "time": …, "data": {…}, "metadata": {…}}

Data and metadata stand in it letter for letter as the database writes them, also what this version does not know:
nothing is decoded and encoded again on its way. `time` is when the first database wrote the event.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NoReturn
from uuid import UUID

from pydantic import Field, ValidationError

from eventlog.encoding import MOST_BYTES, Row, decode
from eventlog.log import LogCorrupted
from eventlog.streams import InvalidName, ThreadId, stream_of, thread_id
from llm.messages import Frozen

_DATA, _METADATA = ',"data":', ',"metadata":'
_NEVER = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])")
"""What JSON may hold and no database writes: NUL and half characters."""


class Damaged(ValueError):
    """The file is not what was written, or was never written by an export."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse)


class Header(Frozen):
    """The first line."""

    format: Literal["perdure-thread"] = "perdure-thread"
    version: Literal[1] = 1
    thread_id: str
    events: int = Field(gt=0)
    sha256: str


class _Head(Frozen):
    """A line, without data and metadata."""

    position: int
    id: UUID
    type: str = Field(pattern=r"^[^\x00]+$")
    time: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """One thread's stream, whole."""

    thread: ThreadId
    rows: Sequence[Row]


def write(archive: Archive) -> bytes:
    """The file's content; the same stream gives the same bytes."""
    body = "".join(f"{_line(row)}\n" for row in archive.rows).encode()
    header = Header(
        thread_id=archive.thread, events=len(archive.rows), sha256=hashlib.sha256(body).hexdigest()
    ).model_dump()
    return json.dumps(header).encode() + b"\n" + body


def _line(row: Row) -> str:
    time = row.time.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    head = {"position": row.position, "id": row.id, "type": row.type, "time": time}
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    return f"{text[:-1]}{_DATA}{row.data or 'null'}{_METADATA}{row.metadata or 'null'}}}"


def read(content: bytes) -> Archive:
    """What the file holds, once all of it was found to be right; raises `Damaged`."""
    first, _, body = content.partition(b"\n")
    header = _header(first)
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise Damaged("its content is not that of which the first line has the SHA-256: it is cut short or was changed")
    thread = _thread(header.thread_id)
    lines = body.decode(errors="replace").split("\n")[:-1]  # never `splitlines`: text may hold other separators
    if len(lines) != header.events:
        raise Damaged(f"it announces {header.events} events and holds {len(lines)}")
    rows = [_row(thread, position, line) for position, line in enumerate(lines)]
    if len({row.id for row in rows}) < len(rows):
        raise Damaged("two of its events have the same id")
    return Archive(thread, rows)


def _header(line: bytes) -> Header:
    try:
        return Header.model_validate_json(line)
    except ValidationError as error:
        raise Damaged(f"its first line is not that of an export, or of a newer one: {_problems(error)}") from error


def _thread(text: str) -> ThreadId:
    try:
        return thread_id(text)
    except InvalidName as error:
        raise Damaged(str(error)) from error


def _row(thread: ThreadId, position: int, line: str) -> Row:
    try:
        head, data, metadata = _taken_apart(line)
    except (ValueError, RecursionError) as error:
        problem = _problems(error) if isinstance(error, ValidationError) else str(error)
        raise Damaged(f"the event at position {position} is no line of an export: {problem}") from error
    if head.position != position:
        raise Damaged(f"position {head.position} stands where {position} must stand")
    if len(data.encode()) + len(metadata.encode()) > MOST_BYTES:
        raise Damaged(f"the event at position {position} has more than {MOST_BYTES:,} bytes")
    time = head.time.astimezone(UTC).replace(tzinfo=None)
    row = Row(str(head.id), stream_of(thread), head.type, position, 0, _or_none(data), _or_none(metadata), time)
    try:
        decode(row)
    except LogCorrupted as error:
        raise Damaged(str(error)) from error
    return row


def _taken_apart(line: str) -> tuple[_Head, str, str]:
    """The head, and data and metadata as written: quotes within text are escaped, so the first mark is ours."""
    head, _, rest = line.partition(_DATA)
    data, rest = _value(rest)
    if not rest.startswith(_METADATA):
        raise ValueError("the metadata is missing")
    metadata, rest = _value(rest.removeprefix(_METADATA))
    if rest != "}":
        raise ValueError("something follows the metadata")
    return _Head.model_validate_json(f"{head}}}"), data, metadata


def _value(text: str) -> tuple[str, str]:
    _, end = _JSON.raw_decode(text)
    if _NEVER.search(text, 0, end):
        raise ValueError("it holds a character that the database does not take")
    return text[:end], text[end:]


def _or_none(text: str) -> str | None:
    return None if text == "null" else text


def differences(there: Sequence[Row], coming: Sequence[Row]) -> Iterator[int]:
    """The positions at which two streams say different things, as far as both go."""
    for one, other in zip(there, coming, strict=False):
        if _content(one) != _content(other):
            yield one.position


def _content(row: Row) -> tuple[str, ...]:
    """As text: `jsonb` writes equal values alike."""
    return row.id, row.type, row.data or "null", row.metadata or "null"


def _problems(error: ValidationError) -> str:
    """What is wrong and where, without the content it is wrong in."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'line'}: {problem['msg']}" for problem in found)
