"""The log in memory: what `PostgresEventLog` promises, without a database and without durability."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from eventlog.artifacts.memory import MemoryArtifacts
from eventlog.artifacts.overflow import Overflow
from eventlog.artifacts.store import ArtifactStore
from eventlog.chunks import decoded, one_by_one
from eventlog.encoding import Encoded, Row, decode, encode, same_content
from eventlog.log import (
    AlreadyAppended,
    Appended,
    Entry,
    IdConflict,
    Outcome,
    Recorded,
    VersionConflict,
)
from eventlog.streams import Category, StreamName, category, parse_stream_name


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class MemoryEventLog:
    """Keeps rows, not events: everything passes through the same encoding as on its way to PostgreSQL."""

    clock: Callable[[], datetime] = _now
    artifacts: ArtifactStore = field(default_factory=MemoryArtifacts)
    _overflow: Overflow = field(init=False)
    _rows: list[Row] = field(default_factory=list, init=False)
    _streams: dict[StreamName, list[Row]] = field(default_factory=dict, init=False)
    _ids: dict[UUID, Row] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._overflow = Overflow([self.artifacts])

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append one event; see `EventLog.append`."""
        parse_stream_name(stream)
        encoded = encode(entry)
        data = await self._overflow.thinned(encoded.data) if self._overflow.overflows(encoded.data) else encoded.data
        if recorded := await self.find(entry.id):
            same = recorded.stream == stream and same_content(encoded, recorded)
            return AlreadyAppended(recorded) if same else IdConflict(recorded)
        actual = await self.version(stream)
        if expected_version not in {None, actual}:
            return VersionConflict(expected_version, actual)
        return self._keep(stream, entry.id, replace(encoded, data=data))

    def _keep(self, stream: StreamName, id_: UUID, encoded: Encoded) -> Appended:
        rows = self._streams.setdefault(stream, [])
        row = Row(
            id=str(id_),
            stream=stream,
            type=encoded.type,
            position=len(rows),
            global_position=len(self._rows) + 1,
            data=encoded.data,
            metadata=encoded.metadata,
            time=self.clock().astimezone(UTC).replace(tzinfo=None),
        )
        rows.append(row)
        self._rows.append(row)
        self._ids[id_] = row
        return Appended(row.position, len(row.data or ""))

    def read(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[Recorded]:
        """The events of a stream; see `EventLog.read`."""
        return one_by_one(self.chunks(stream, start, end))

    async def chunks(
        self, stream: StreamName, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[list[Recorded]]:
        """The events of a stream, some at a time; see `EventLog.chunks`."""
        parse_stream_name(stream)
        rows = self._streams.get(stream, [])[max(start, 0) :]
        whole = await self._overflow.whole([row for row in rows if end is None or row.position <= end])
        for chunk in decoded(whole):
            yield chunk

    async def read_category(
        self, category_: Category, start: int = 1, end: int | None = None
    ) -> AsyncIterator[Recorded]:
        """The events of a category; see `EventLog.read_category`."""
        prefix = f"{category(category_)}-"
        for row in self._rows[max(start - 1, 0) :]:
            if end is not None and row.global_position > end:
                return
            if row.stream.startswith(prefix):
                [whole] = await self._overflow.whole([row])
                yield decode(whole)

    async def streams(self, category_: Category) -> list[StreamName]:
        """The streams of a category; see `EventLog.streams`."""
        prefix = f"{category(category_)}-"
        return [stream for stream in self._streams if stream.startswith(prefix)]

    async def find(self, id_: UUID) -> Recorded | None:
        """The event with this id, if it is in the log."""
        rows = [self._ids[id_]] if id_ in self._ids else []
        whole = await self._overflow.whole(rows)
        return decode(whole[0]) if whole else None

    async def version(self, stream: StreamName) -> int:
        """The position of the stream's last event; see `EventLog.version`."""
        parse_stream_name(stream)
        return len(self._streams.get(stream, ())) - 1

    async def check(self) -> str:
        """The version of Message DB whose behaviour this is."""
        return "1.3.0"
