"""What is known of an event besides what it says: who, when, why, and by which code."""

from datetime import datetime
from uuid import UUID

from llm.messages import Frozen


class Metadata(Frozen):
    """Stands on every event. Two events with the same id and different metadata are the same event."""

    at: datetime
    """The writer's clock, UTC. Order is told by the position, never by this."""
    schema_version: int = 1
    tenant: str = "default"
    """On whose behalf."""
    principal: str = "anonymous"
    """Who acts."""
    causation_id: UUID | None = None
    """The event this one follows from."""
    correlation_id: str | None = None
    """What belongs together across threads; the thread's own id where nobody set one."""
    run_id: str | None = None
    """The Temporal run that wrote it."""
    activity_id: str | None = None
    attempt: int | None = None
    traceparent: str | None = None
    """W3C trace context of the span in which it was written."""
    code: str | None = None
    """The version of Perdure that wrote it."""
