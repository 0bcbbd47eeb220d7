"""An append on its way into the log, and what the row means that is found under its id."""

from typing import Any

from eventlog.columns import BIGINT, TEXT, UUID, Column, pack_bigint
from eventlog.encoding import Encoded, Row, decode, encode, same_content, same_writing
from eventlog.log import AlreadyAppended, Appended, Entry, IdConflict, Outcome, Recorded, VersionConflict
from eventlog.streams import StreamName


class Write:
    """One append until its outcome is known. Raises `EntryRejected` where the entry cannot be written as JSON."""

    __slots__ = ("encoded", "expected_version", "id", "in_doubt", "size", "stored", "stream")

    def __init__(self, stream: StreamName, entry: Entry, expected_version: int | None) -> None:
        self.stream = stream
        self.id = entry.id
        self.encoded: Encoded = encode(entry)
        """What is said, whole."""
        self.store_as(self.encoded.data)
        self.expected_version = expected_version
        self.in_doubt = False
        """A try ended without an answer, so what stands in the log may be our own."""

    def store_as(self, data: str) -> None:
        """Send this as the event's data: the whole, or what is left of it where large content is kept elsewhere."""
        self.stored = data
        self.size = len(data) + len(self.encoded.metadata)
        """Characters; as good as bytes for deciding how much to send at once."""

    @property
    def parameters(self) -> tuple[Any, ...]:
        """What `queries.WRITE` takes."""
        encoded = self.encoded
        return (str(self.id), self.stream, encoded.type, self.stored, encoded.metadata, self.expected_version)

    def appended(self, position: int) -> Appended:
        """It stands there now, and it was this write that put it there."""
        return Appended(position, len(self.encoded.data))

    def outcome(self, recorded: Recorded) -> Outcome:
        """What it means that this event stands under the id."""
        if recorded.stream != self.stream or not same_content(self.encoded, recorded):
            return IdConflict(recorded)
        if self.in_doubt and same_writing(self.encoded, recorded):
            return self.appended(recorded.position)
        return AlreadyAppended(recorded)

    def answer(self, outcome: str, version: int, found: Row) -> Outcome:
        """What a row means by which `queries.APPEND_BATCH` says that it was not appended. Raises `LogCorrupted`."""
        if outcome == "conflict" and self.expected_version is not None:
            return VersionConflict(self.expected_version, version)
        return self.outcome(decode(found))


def columns(writes: list[Write]) -> tuple[Column, ...]:
    """What `queries.APPEND_UNDISPUTED` and `queries.APPEND_BATCH` take: one column for each of their parameters."""
    return (
        Column.of(UUID, [write.id.bytes for write in writes]),
        Column.of(TEXT, [write.stream.encode() for write in writes]),
        Column.of(TEXT, [write.encoded.type.encode() for write in writes]),
        Column.of(TEXT, [write.stored.encode() for write in writes]),
        Column.of(TEXT, [write.encoded.metadata.encode() for write in writes]),
        Column.of(BIGINT, [_expected(write) for write in writes]),
    )


def _expected(write: Write) -> bytes | None:
    return None if write.expected_version is None else pack_bigint(write.expected_version)
