"""Mending a stream: what is missing is appended, after an event that says so. Nothing is ever rewritten."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from activities.journal import CODE_VERSION
from cli.errors import Refused
from cli.following import Closed
from cli.verification.verdict import Repair
from eventlog.events import AnyEvent, SessionCompleted, StreamRepaired, ToolExecutionOutcomeUnknown
from eventlog.ids import event_id
from eventlog.log import Appended, Entry, EventLog, Recorded, VersionConflict
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId, stream_of
from eventlog.terms import CompletionReason
from projections.evolution import SESSION
from projections.fold import fold
from projections.session import Session

END_IS_MISSING = "TheEndIsWritten"
REASONS: dict[str, CompletionReason] = {"failed": "failure", "terminated": "terminated"}
UNKNOWN = "Its workflow was ended from outside while it was under way. It may have happened or not."


async def repair(log: EventLog, thread: ThreadId, events: Sequence[Recorded], outside: Closed, by: str) -> list[Repair]:
    """Write the end of a thread whose workflow was ended from outside; done twice, it is done once."""
    session = fold(SESSION, events)
    if not session.started or session.completed is not None:
        return []
    version, cause, repaired = session.position, events[-1].id, list[Repair]()
    for key, event in _missing(session, outside, by):
        id_ = event_id(thread, session.started_ms, key)
        entry = Entry(id_, event, _metadata(session, cause, by))
        outcome = await log.append(stream_of(thread), entry, version)
        if isinstance(outcome, VersionConflict):
            raise Refused(f"somebody writes to thread {thread} at this moment", remedy="verify it again later")
        if isinstance(outcome, Appended):
            version = outcome.position
            repaired.append(Repair(thread, version, event.type))
        if isinstance(event, StreamRepaired):
            cause = id_
    return repaired


def _missing(session: Session, outside: Closed, by: str) -> Iterator[tuple[str, AnyEvent]]:
    """What to write, each under the key by which the session's own steps would have written it."""
    yield "repaired/end", StreamRepaired(what=END_IS_MISSING, why=f"it had no end, and {outside.why}", by=by)
    for call in session.pending.values():
        if call.state == "begun":
            unknown = ToolExecutionOutcomeUnknown(call_id=call.id, tool_name=call.name, explanation=UNKNOWN)
            yield f"call/{session.steps}/{call.id}/outcome", unknown
    summary = f"{outside.why}; found by {by}"
    yield (
        "session/completed",
        SessionCompleted(completion_reason=REASONS[outside.status], summary=summary),
    )


def _metadata(session: Session, cause: UUID, by: str) -> Metadata:
    return Metadata(
        at=datetime.now(UTC),
        tenant=session.tenant,
        principal=by,
        causation_id=cause,
        correlation_id=session.thread_id,
        code=CODE_VERSION,
    )
