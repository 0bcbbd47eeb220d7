"""How an activity writes: every event gets its deterministic id and says who wrote it, in which attempt, and why."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from opentelemetry import trace
from temporalio import activity

from activities.steps import InThread
from activities.views import Views
from eventlog.events import AnyEvent, UnknownEvent
from eventlog.ids import event_id
from eventlog.log import (
    AlreadyAppended,
    Appended,
    Entry,
    EventLog,
    IdConflict,
    LogUnavailable,
    Outcome,
    Recorded,
    VersionConflict,
)
from eventlog.marks import Mark
from eventlog.metadata import Metadata

CODE_VERSION = "0.4.0"
LONGEST_PAUSE = 5.0
"""Seconds between two tries to write what must not be lost."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who a step writes for."""

    tenant: str = "default"
    principal: str = "anonymous"
    cause: UUID | None = None
    """The event that what is written follows from."""

    def because(self, cause: UUID | None) -> Self:
        """The same author, moved by another event."""
        return replace(self, cause=cause)


@dataclass(frozen=True, slots=True)
class Intent:
    """A declared intention: `fresh` where this very attempt declared it, and so nobody has acted on it yet."""

    id: UUID
    position: int
    event: AnyEvent
    """What stands in the log: an earlier attempt may have said it in other words."""
    fresh: bool


@dataclass(frozen=True, slots=True)
class Written:
    """The event that stands in the log now: ours, or that of an attempt which won."""

    position: int
    event: AnyEvent

    @property
    def mark(self) -> Mark:
        """What the process is told of it."""
        return Mark.of(self.position, self.event)


class Journal:
    """The log, as one step writes it."""

    def __init__(self, log: EventLog, views: Views) -> None:
        self._log = log
        self._views = views

    def id_of(self, step: InThread, key: str) -> UUID:
        """The id of the event that says `key`."""
        return event_id(step.thread_id, step.started_ms, key)

    async def find(self, step: InThread, key: str) -> Recorded | None:
        """The event that says `key`, if some attempt has written it."""
        return await self._log.find(self.id_of(step, key))

    async def intend(self, step: InThread, key: str, event: AnyEvent, author: Author) -> Intent:
        """Declare what is about to be done, and wait until that is durable, however long the log is away."""
        entry = self._entry(step, key, event, author)
        outcome = await self._append_at_last(step, entry)
        stands = _written(outcome, event)
        return Intent(entry.id, stands.position, stands.event, fresh=isinstance(outcome, Appended))

    async def settle(self, step: InThread, key: str, event: AnyEvent, author: Author) -> Written:
        """Write what came of it, however long the log is away. Where another attempt was first, its word stands."""
        return _written(await self._append_at_last(step, self._entry(step, key, event, author)), event)

    async def append(
        self, step: InThread, key: str, event: AnyEvent, author: Author, expected_version: int | None = None
    ) -> Outcome:
        """Append one event under the id of `key`."""
        return await self._append(step, self._entry(step, key, event, author), expected_version)

    async def _append_at_last(self, step: InThread, entry: Entry) -> Outcome:
        """Append, and do not let go while the log is away: nobody else knows what would be lost."""
        pause = 0.5
        while True:
            try:
                return _ours(await self._append(step, entry), entry)
            except LogUnavailable as error:
                activity.logger.warning("log_away", extra={"event_type": entry.event.type, "problem": str(error)})
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _entry(self, step: InThread, key: str, event: AnyEvent, author: Author) -> Entry:
        return Entry(self.id_of(step, key), event, _metadata(step, event, author))

    async def _append(self, step: InThread, entry: Entry, expected_version: int | None = None) -> Outcome:
        outcome = await self._log.append(step.stream, entry, expected_version)
        told = {"event_id": str(entry.id), "event_type": entry.event.type, "outcome": type(outcome).__name__}
        activity.logger.debug("event_appended", extra=told)
        if isinstance(outcome, Appended):
            self._views.learn(_recorded(step, entry, outcome))
        return outcome


def _recorded(step: InThread, entry: Entry, appended: Appended) -> Recorded:
    """The entry as it stands in the log, as far as an append tells."""
    metadata = entry.metadata
    return Recorded(entry.id, step.stream, appended.position, 0, metadata.at, entry.event, metadata, appended.size)


def _written(outcome: Outcome, event: AnyEvent) -> Written:
    match outcome:
        case Appended(position):
            return Written(position, event)
        case AlreadyAppended(recorded) | IdConflict(recorded):
            return Written(recorded.position, recorded.event)
        case VersionConflict():
            raise AssertionError("an append without an expected version cannot conflict")


def _ours(outcome: Outcome, entry: Entry) -> Outcome:
    """What an earlier try of this very attempt wrote, although it went unanswered, is as good as appended now."""
    if isinstance(outcome, AlreadyAppended) and outcome.recorded.metadata == entry.metadata:
        return Appended(outcome.position)
    return outcome


def _metadata(step: InThread, event: AnyEvent, author: Author) -> Metadata:
    info = activity.info()
    return Metadata(
        at=datetime.now(UTC),
        schema_version=event.schema_version if isinstance(event, UnknownEvent) else event.version,
        tenant=author.tenant,
        principal=author.principal,
        causation_id=author.cause,
        correlation_id=step.thread_id,
        run_id=info.workflow_run_id,
        activity_id=info.activity_id,
        attempt=info.attempt,
        traceparent=_traceparent(),
        code=CODE_VERSION,
    )


def _traceparent() -> str | None:
    """Of the span in which it is written, as W3C has it; the propagators would look for much else besides."""
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None
