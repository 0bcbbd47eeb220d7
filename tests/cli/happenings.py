"""Events as a thread would write them, made by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from eventlog.events import (
    AnyEvent,
    ApprovalRequested,
    LLMResponseReceived,
    SessionCompleted,
    SessionStarted,
    ToolCall,
    UserMessageAdded,
)
from eventlog.log import Appended, Entry, EventLog
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId, stream_of
from eventlog.terms import Limits
from llm.messages import ModelTerms, TokenUsage, text_block

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def began(**changes: Any) -> SessionStarted:
    """A session begins."""
    terms: dict[str, Any] = {
        "thread_id": "t",
        "started_at": NOON,
        "tenant": "default",
        "principal": "ana",
        "mode": "task",
        "model": ModelTerms(name="scripted-1"),
        "system": "Be brief.",
        "tools": (),
        "limits": Limits(),
        "approval_timeout": 60.0,
        "idle_timeout": None,
    }
    return SessionStarted(**{**terms, **changes})


def heard(message: str) -> UserMessageAdded:
    """A person says something."""
    return UserMessageAdded(message=message, sender="ana")


def replied(text: str, *calls: ToolCall, cost: Decimal | None = Decimal("0.5"), step: int = 1) -> LLMResponseReceived:
    """The model answers."""
    return LLMResponseReceived(
        step=step,
        at=1,
        content=(text_block(text),),
        tool_calls=calls,
        stop_reason="tool_use" if calls else "end_turn",
        final=not calls,
        model_name="scripted-1",
        token_usage=TokenUsage(input_tokens=10, output_tokens=5),
        cost_usd=cost,
        duration_ms=1200,
        message_id="msg_1",
    )


def wants(call_id: str, **arguments: Any) -> ToolCall:
    """A call of `write_file`."""
    return ToolCall(id=call_id, name="write_file", arguments=arguments, title=f"write_file {call_id}")


def asked(call_id: str, question: str = "May it?", **arguments: Any) -> ApprovalRequested:
    """A person is asked."""
    return ApprovalRequested(
        call_id=call_id,
        tool_name="write_file",
        arguments=arguments,
        digest="d",
        question=question,
        reason="it writes",
        risk="medium",
        expires_at=NOON + timedelta(days=7),
    )


def over(answer: str | None = None, reason: Any = "success") -> SessionCompleted:
    """The session ends."""
    return SessionCompleted(completion_reason=reason, summary=f"it ended: {reason}", answer=answer)


async def told(log: EventLog, *events: AnyEvent) -> ThreadId:
    """A new thread in whose stream this happened."""
    thread = ThreadId(f"t-{uuid4()}")
    for event in events:
        written = event.model_copy(update={"thread_id": thread}) if isinstance(event, SessionStarted) else event
        outcome = await log.append(stream_of(thread), Entry(uuid4(), written, Metadata(at=NOON)))
        assert isinstance(outcome, Appended)
    return thread
