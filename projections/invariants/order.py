"""Rules about the stream as such: where it begins, how it is numbered, what follows from what."""

from collections.abc import Iterator
from uuid import UUID

from eventlog.events import SessionStarted, UnknownEvent
from eventlog.streams import ThreadId, stream_of
from projections.invariants.invariant import Invariant, Moment


class PositionsAreContiguous(Invariant):
    """Events are numbered 0, 1, 2, … without a gap."""

    def __init__(self) -> None:
        self._next = 0

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A number that is not the next one; those after it are counted on from there."""
        position = moment.recorded.position
        if position != self._next:
            yield f"it stands at position {position}, the next one is {self._next}"
        self._next = position + 1


class BeginsOnce(Invariant):
    """A stream begins with SessionStarted, which tells its own thread, and does not begin again."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A beginning that is missing, comes again, or is another thread's."""
        event = moment.recorded.event
        if not isinstance(event, SessionStarted):
            if moment.index == 0:
                yield f"the stream begins with {_name(moment)}"
        elif moment.index > 0:
            yield "the session begins a second time"
        elif stream_of(ThreadId(event.thread_id)) != moment.recorded.stream:
            yield f"the stream {moment.recorded.stream} tells the beginning of thread {event.thread_id}"


class IdsAreUnique(Invariant):
    """No two events have the same id."""

    def __init__(self) -> None:
        self._seen: set[UUID] = set()

    def breaks(self, moment: Moment) -> Iterator[str]:
        """An id that an earlier event has."""
        if moment.recorded.id in self._seen:
            yield f"the id {moment.recorded.id} stands in the stream already"
        self._seen.add(moment.recorded.id)


class CausesComeFirst(Invariant):
    """An event follows from one that stands before it in the stream; strangers may have other reasons."""

    def __init__(self) -> None:
        self._seen: set[UUID] = set()

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A cause that is no earlier event of the stream."""
        cause = moment.recorded.metadata.causation_id
        stranger = isinstance(moment.recorded.event, UnknownEvent)
        if cause is not None and cause not in self._seen and not stranger:
            yield f"{_name(moment)} follows from {cause}, which is no earlier event of this stream"
        self._seen.add(moment.recorded.id)


def _name(moment: Moment) -> str:
    event = moment.recorded.event
    return event.type_name if isinstance(event, UnknownEvent) else event.type
