"""Dead letters: what could not be delivered or dealt with, however often it was tried, until somebody decides.

Each has a stream of its own in the category `deadLetter:v1`: that it died, and why; that it was tried again, and what
came of it; that it was given up. It refers to the event it is about and copies nothing of it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import ValidationError

from eventlog.consumer import Spoilt
from eventlog.events import UnknownEvent
from eventlog.facts import Facts
from eventlog.feed import Statement
from eventlog.ids import event_id
from eventlog.log import NO_STREAM, AlreadyAppended, Appended, Entry, EventLog, Recorded
from eventlog.metadata import Metadata
from eventlog.streams import DEAD_LETTER, StreamName, ThreadId, build_stream_name, parse_stream_name

LONGEST_REASON = 500
"""Characters."""
What: TypeAlias = Literal["delivery", "event"]
"""A notice that nobody took; an event that a consumer of the log could not deal with."""


class _Said(Facts):
    """One event of a dead letter."""

    version: ClassVar[int] = 1

    def written(self) -> UnknownEvent:
        """As it stands in the stream: no view of a thread folds it."""
        return UnknownEvent(type_name=type(self).__name__, data=self.model_dump(mode="json"))


class DeadLettered(_Said):
    """It was given up."""

    what: What
    target: str
    """The endpoint or notifier that did not take it, or the consumer that could not deal with it."""
    kind: str
    """The kind of the notice, or the type of the event."""
    stream: str
    position: int
    """Of the event it is about, in its stream."""
    global_position: int
    event_id: UUID
    notice: str | None = None
    """The notice's id, which receivers know it by."""
    reason: str
    attempts: int


class DeadLetterRetried(_Said):
    """Somebody had it tried once more."""

    by: str
    delivered: bool
    reason: str = ""
    """Why not, where it was not."""


class DeadLetterDiscarded(_Said):
    """Somebody has decided that it need not be delivered any more."""

    by: str
    reason: str = ""


Said: TypeAlias = DeadLettered | DeadLetterRetried | DeadLetterDiscarded
_KINDS: dict[str, type[Said]] = {kind.__name__: kind for kind in (DeadLettered, DeadLetterRetried, DeadLetterDiscarded)}

State: TypeAlias = Literal["open", "delivered", "discarded"]


@dataclass(slots=True)
class DeadLetter:
    """One dead letter, folded from its stream."""

    id: str
    died: DeadLettered
    died_at: datetime
    state: State = "open"
    retries: int = 0
    reason: str = ""
    """Why it was not delivered when it was last tried, or why it was given up."""
    history: list[tuple[datetime, Said]] = field(default_factory=list)
    position: int = 0

    @property
    def thread(self) -> str:
        """The thread it is about; the stream's name where that is none."""
        try:
            return parse_stream_name(self.died.stream).thread
        except ValueError:
            return self.died.stream

    def hear(self, recorded: Recorded, said: Said) -> None:
        """Go on with its next event."""
        self.position = recorded.position
        self.history.append((recorded.metadata.at, said))
        match said:
            case DeadLetterRetried():
                self.retries += 1
                self.state = "delivered" if said.delivered else self.state
                self.reason = said.reason or self.reason
            case DeadLetterDiscarded():
                self.state, self.reason = "discarded", said.reason or self.reason
            case DeadLettered():
                self.reason = said.reason

    @classmethod
    def begun(cls, recorded: Recorded, died: DeadLettered) -> Self:
        """The letter as its first event has it."""
        letter = cls(parse_stream_name(recorded.stream).thread, died, recorded.metadata.at)
        letter.hear(recorded, died)
        return letter


class AlreadyDecided(Exception):
    """Somebody else has decided about the letter meanwhile."""


class DeadLetters:
    """All dead letters of a log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def all(self) -> Sequence[DeadLetter]:
        """Every letter there ever was, in the order in which they died."""
        letters: dict[StreamName, DeadLetter] = {}
        async for recorded, said in self._read():
            if isinstance(said, DeadLettered):
                letters.setdefault(recorded.stream, DeadLetter.begun(recorded, said))
            elif recorded.stream in letters:
                letters[recorded.stream].hear(recorded, said)
        return tuple(letters.values())

    async def open(self) -> Sequence[DeadLetter]:
        """Those about which nobody has decided yet."""
        return [letter for letter in await self.all() if letter.state == "open"]

    async def _read(self) -> AsyncIterator[tuple[Recorded, Said]]:
        async for recorded in self._log.read_category(DEAD_LETTER):
            said = said_of(recorded)
            if said is not None:
                yield recorded, said

    async def add(self, died: DeadLettered, at: datetime) -> str:
        """Keep a letter, once; its id. `at` is when the event happened that it is about."""
        milliseconds = int(at.timestamp() * 1000)
        about = f"{died.what}/{died.target}/{died.notice or died.global_position}"
        id_ = str(event_id(ThreadId("dead-letters"), milliseconds, about))
        await self._write(id_, "died", died, NO_STREAM, milliseconds)
        return id_

    async def retried(self, letter: DeadLetter, said: DeadLetterRetried) -> None:
        """Note that it was tried again."""
        await self._decide(letter, said)

    async def discard(self, letter: DeadLetter, said: DeadLetterDiscarded) -> None:
        """Note that it is given up."""
        await self._decide(letter, said)

    async def set_aside(self, spoilt: Spoilt) -> Sequence[Statement]:
        """Keep an event that a consumer could not deal with: what `Follower` is given for it."""
        row = spoilt.row
        died = DeadLettered(
            what="event",
            target=spoilt.consumer,
            kind=row.type,
            stream=row.stream,
            position=row.position,
            global_position=row.global_position,
            event_id=UUID(row.id),
            reason=spoilt.problem[:LONGEST_REASON],
            attempts=spoilt.tries,
        )
        await self.add(died, row.time.replace(tzinfo=UTC))
        return ()

    async def _decide(self, letter: DeadLetter, said: Said) -> None:
        milliseconds = int(letter.died_at.timestamp() * 1000)
        if not await self._write(letter.id, f"{letter.position + 1}", said, letter.position, milliseconds):
            raise AlreadyDecided(f"somebody else has decided about {letter.id} meanwhile: look at it again")

    async def _write(self, id_: str, key: str, said: Said, expected: int, milliseconds: int) -> bool:
        """Append one event; whether it, or one that says the same, stands there now."""
        stream = build_stream_name("deadLetter", "v1", id_)
        metadata = Metadata(at=datetime.now(UTC), schema_version=said.version)
        entry = Entry(event_id(ThreadId(id_), milliseconds, key), said.written(), metadata)
        outcome = await self._log.append(stream, entry, expected)
        return isinstance(outcome, Appended | AlreadyAppended)


def said_of(recorded: Recorded) -> Said | None:
    """What an event of a dead letter's stream says; None where it is none of ours, or a newer version's."""
    event = recorded.event
    kind = _KINDS.get(event.type_name) if isinstance(event, UnknownEvent) else None
    if kind is None or not isinstance(event, UnknownEvent):
        return None
    try:
        return kind.model_validate(event.data, extra="ignore")
    except ValidationError:
        return None
