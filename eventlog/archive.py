"""A stream in one file: JSON Lines, the first of which says what follows and how it is checked.

    {"format": "perdure-thread", "version": 1, "thread_id": …, "events": …, "sha256": of all bytes after this line}
    {"position": 0, "id": …, "type": …, "time": …, "data": {…}, "metadata": {…}}

Data and metadata stand in it letter for letter as the database writes them, also what this version does not know:
nothing is decoded and encoded again on its way. `time` is when the first database wrote the event.

Where events refer to artifacts, these come first, each once, and the first line says how many (`version` is then 2):

    {"sha256": …, "content": …}
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NoReturn
from uuid import UUID

from pydantic import Field, ValidationError

from eventlog.artifacts.references import fill, is_content, referred
from eventlog.artifacts.store import Digest
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
    version: Literal[1, 2] = 1
    thread_id: str
    events: int = Field(gt=0)
    artifacts: int = Field(default=0, ge=0)
    sha256: str


class _Head(Frozen):
    """A line, without data and metadata."""

    position: int
    id: UUID
    type: str = Field(pattern=r"^[^\x00]+$")
    time: datetime


class _Artifact(Frozen):
    """The line of an artifact."""

    sha256: Digest
    content: str


@dataclass(frozen=True, slots=True)
class Archive:
    """One thread's stream, whole."""

    thread: ThreadId
    rows: Sequence[Row]
    """As they stand in the database: with references where they refer to artifacts."""
    artifacts: Mapping[Digest, bytes] = field(default_factory=dict)
    """All that the rows refer to."""


def write(archive: Archive) -> bytes:
    """The file's content; the same stream gives the same bytes."""
    kept = "".join(f"{_artifact_line(*artifact)}\n" for artifact in sorted(archive.artifacts.items()))
    body = (kept + "".join(f"{_line(row)}\n" for row in archive.rows)).encode()
    count = len(archive.artifacts)
    header = Header(
        version=2 if count else 1,
        thread_id=archive.thread,
        events=len(archive.rows),
        artifacts=count,
        sha256=hashlib.sha256(body).hexdigest(),
    ).model_dump(exclude=None if count else {"artifacts"})
    return json.dumps(header).encode() + b"\n" + body


def _artifact_line(digest: Digest, content: bytes) -> str:
    return json.dumps({"sha256": digest, "content": content.decode()}, ensure_ascii=False, separators=(",", ":"))


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
    count = header.artifacts
    if len(lines) != count + header.events:
        after = f" after {count} artifacts" if count else ""
        raise Damaged(f"it announces {header.events} events{after} and holds {max(len(lines) - count, 0)}")
    artifacts = dict(_artifact(number, line) for number, line in enumerate(lines[:count], 1))
    rows = [_row(thread, position, line, artifacts) for position, line in enumerate(lines[count:])]
    if len({row.id for row in rows}) < len(rows):
        raise Damaged("two of its events have the same id")
    return Archive(thread, rows, artifacts)


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


def _artifact(number: int, line: str) -> tuple[Digest, bytes]:
    try:
        artifact = _Artifact.model_validate_json(line)
    except ValidationError as error:
        raise Damaged(f"its artifact {number} is no line of an export: {_problems(error)}") from error
    content = artifact.content.encode()
    if not is_content(artifact.sha256, content):
        raise Damaged(f"its artifact {number} is not that of which it has the SHA-256")
    return artifact.sha256, content


def _row(thread: ThreadId, position: int, line: str, artifacts: Mapping[Digest, bytes]) -> Row:
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
        decode(whole(row, artifacts))
    except LogCorrupted as error:
        raise Damaged(str(error)) from error
    return row


def whole(row: Row, artifacts: Mapping[Digest, bytes]) -> Row:
    """The row with these artifacts in their places."""
    return row._replace(data=fill(row.data, artifacts)) if referred(row.data) and row.data else row


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
    """The positions at which two streams, both whole, say different things, as far as both go."""
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
