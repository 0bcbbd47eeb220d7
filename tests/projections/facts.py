"""Short ways to write events and streams down, for tests that read as given, when, then."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from eventlog.approval_terms import ApprovalTerms, Scope, Standing
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    PolicyDecided,
    SessionStarted,
    ToolCall,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UserMessageAdded,
)
from eventlog.log import Recorded
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId, stream_of
from eventlog.terms import Limits, Mode, PolicyDecision, ToolTerms
from llm.messages import Block, JsonObject, Message, ModelRequest, ModelTerms, TokenUsage, text_block
from projections.evolution import SESSION
from projections.fold import fold
from projections.session import Session
from projections.transcript import TRANSCRIPT, render

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THREAD = ThreadId("thread-1")
MODEL = ModelTerms(name="claude-test")
READ = ToolTerms(name="read_file", digest="d1", effect="read_only", risk="low", timeout=30, attempts=3)
WRITE = ToolTerms(name="write_file", digest="d2", effect="unsafe", risk="high", timeout=30, attempts=1)


def recorded(position: int, event: AnyEvent, *, after: float | None = None) -> Recorded:
    """An event as it stands in the log, a second after the one before it."""
    time = START + timedelta(seconds=position if after is None else after)
    return Recorded(
        id=UUID(int=position + 1),
        stream=stream_of(THREAD),
        position=position,
        global_position=position + 1,
        time=time,
        event=event,
        metadata=Metadata(at=time, run_id="run-1", activity_id=str(position), attempt=1),
    )


def given(*events: AnyEvent) -> list[Recorded]:
    """A stream of these events."""
    return [recorded(position, event) for position, event in enumerate(events)]


def session_of(*events: AnyEvent) -> Session:
    """The session after these events."""
    return fold(SESSION, given(*events))


def request_of(*events: AnyEvent) -> ModelRequest:
    """The request that shows the model these events."""
    return render(fold(TRANSCRIPT, given(*events)), ())


def messages_of(*events: AnyEvent) -> list[tuple[str, list[Block]]]:
    """The rendered messages as plain data."""
    return [plain(message) for message in request_of(*events).messages]


def plain(message: Message) -> tuple[str, list[Block]]:
    """A message as role and blocks."""
    return message.role, list(message.content)


def started(
    mode: Mode = "task",
    *,
    limits: Limits | None = None,
    system: str = "Be brief.",
    result_schema: JsonObject | None = None,
    idle_timeout: float | None = None,
) -> SessionStarted:
    """A session begins."""
    return SessionStarted(
        thread_id=THREAD,
        started_at=START,
        tenant="acme",
        principal="ana",
        mode=mode,
        model=MODEL,
        system=system,
        tools=(READ, WRITE),
        limits=limits or Limits(),
        approval_timeout=3600,
        idle_timeout=idle_timeout,
        result_schema=result_schema,
    )


def said(message: str, *attachments: Block) -> UserMessageAdded:
    """A person says something."""
    return UserMessageAdded(message=message, attachments=attachments, sender="ana")


def asking(step: int, at: int) -> LLMCallRequested:
    """The model is about to be asked."""
    return LLMCallRequested(
        step=step,
        at=at,
        projection=TRANSCRIPT.name,
        projection_version=TRANSCRIPT.version,
        model=MODEL,
        tools_digest="t",
        request_sha256="s",
        request_bytes=1234,
    )


def use(call_id: str, name: str = "read_file", **arguments: Any) -> Block:
    """A block in which the model asks for a tool."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def thought(text: str = "hm") -> Block:
    """A thinking block with its signature."""
    return {"type": "thinking", "thinking": text, "signature": f"signed {text}"}


def replied(
    *content: Block | str,
    step: int = 1,
    at: int = 1,
    stop_reason: str | None = None,
    final: bool | None = None,
    problem: str | None = None,
    cost: Decimal | None = Decimal("0.01"),
) -> LLMResponseReceived:
    """The model answers; what is not said of the answer follows from its blocks."""
    blocks = tuple(text_block(block) if isinstance(block, str) else block for block in content)
    calls = tuple(tool_call(block) for block in blocks if block["type"] == "tool_use")
    reason = stop_reason or ("tool_use" if calls else "end_turn")
    done = reason in ("end_turn", "stop_sequence", "refusal") and not calls and problem is None
    return LLMResponseReceived(
        step=step,
        at=at,
        content=blocks,
        tool_calls=calls,
        stop_reason=reason,
        final=done if final is None else final,
        problem=problem,
        model_name="claude-test",
        token_usage=TokenUsage(input_tokens=10, output_tokens=5),
        cost_usd=cost,
        duration_ms=1500,
        message_id=f"msg_{step}",
    )


def tool_call(block: Block) -> ToolCall:
    """The call a block asks for."""
    name, arguments = str(block["name"]), block["input"]
    return ToolCall(id=str(block["id"]), name=name, arguments=arguments, title=f"{name} {block['id']}")


def model_failed(step: int = 1, *, will_retry: bool = False, kind: str = "overloaded") -> LLMCallFailed:
    """The model does not answer."""
    return LLMCallFailed(
        step=step,
        kind=kind,
        error_message="try later",
        retry_count=0,
        will_retry=will_retry,
        retry_in=2.0 if will_retry else None,
    )


def begun(call_id: str, name: str = "read_file", **arguments: Any) -> ToolExecutionRequested:
    """A tool is about to run."""
    effect = "unsafe" if name == WRITE.name else "read_only"
    return ToolExecutionRequested(
        call_id=call_id, tool_name=name, arguments=arguments, digest=f"digest {call_id}", effect=effect
    )


def completed(call_id: str, *result: str, name: str = "read_file") -> ToolExecutionCompleted:
    """A tool returns."""
    blocks = tuple(text_block(text) for text in result)
    return ToolExecutionCompleted(call_id=call_id, tool_name=name, result=blocks, execution_time_ms=20)


def tool_failed(
    call_id: str, problem: str = "no such file", *, kind: str = "error", will_retry: bool = False
) -> ToolExecutionFailed:
    """A tool fails."""
    return ToolExecutionFailed(
        call_id=call_id,
        tool_name="read_file",
        kind=kind,
        error_message=problem,
        retry_count=0,
        will_retry=will_retry,
    )


def unknown(call_id: str) -> ToolExecutionOutcomeUnknown:
    """Nobody knows what became of a call."""
    return ToolExecutionOutcomeUnknown(call_id=call_id, tool_name="write_file", explanation="The process died.")


def ruled(call_id: str, decision: PolicyDecision, *, rule: str | None = None) -> PolicyDecided:
    """The policy says something of a call."""
    return PolicyDecided(
        call_id=call_id,
        tool_name="write_file",
        digest=f"digest {call_id}",
        decision=decision,
        layer="own",
        rule=rule,
        reason="it is too large",
        policy="p" * 64,
    )


def asked(call_id: str, **arguments: Any) -> ApprovalRequested:
    """A person is asked."""
    return ApprovalRequested(
        call_id=call_id,
        tool_name="write_file",
        arguments=arguments,
        digest=f"digest {call_id}",
        question=f"May {call_id} write?",
        reason="it writes",
        risk="high",
        expires_at=START + timedelta(hours=1),
    )


def asked_under(call_id: str, terms: ApprovalTerms) -> ApprovalRequested:
    """A person is asked, under terms."""
    return asked(call_id).model_copy(update={"terms": terms})


def voted(call_id: str, approver: str = "bo", *, edited: JsonObject | None = None) -> ApprovalVoted:
    """One of several people allows a call."""
    digest = f"digest {call_id}" if edited is None else f"edited {call_id}"
    return ApprovalVoted(call_id=call_id, digest=digest, approver=approver, edited_arguments=edited)


def escalated(call_id: str, level: int = 1, *approvers: str) -> ApprovalEscalated:
    """Nobody answers, and others are asked."""
    groups = (approvers,) if approvers else ()
    return ApprovalEscalated(
        call_id=call_id, level=level, approvers=groups, expires_at=START + timedelta(hours=1 + level)
    )


def reused(call_id: str, grant: int, *, scope: Scope = "tool", name: str = "write_file") -> ApprovalReused:
    """A call rests on an approval that was given before."""
    return ApprovalReused(
        call_id=call_id, tool_name=name, digest=f"digest {call_id}", grant=grant, approvers=("bo",), scope=scope
    )


def remembered(call_id: str, scope: Scope = "tool", thread: str = THREAD) -> ApprovalGranted:
    """A person allows a call, and more like it."""
    standing = Standing(scope=scope, tool_digest="d2", thread_id=thread)
    return granted(call_id).model_copy(update={"remember": standing})


def granted(call_id: str, *, edited: JsonObject | None = None, comment: str | None = None) -> ApprovalGranted:
    """A person allows a call."""
    return ApprovalGranted(
        call_id=call_id, digest=f"digest {call_id}", approver="bo", comment=comment, edited_arguments=edited
    )


def denied(call_id: str, reason: str = "not on a Friday") -> ApprovalDenied:
    """A person forbids a call."""
    return ApprovalDenied(call_id=call_id, approver="bo", reason=reason)


def expired(call_id: str) -> ApprovalExpired:
    """Nobody answers."""
    return ApprovalExpired(call_id=call_id)


def inquired(call_id: str, **terms: Any) -> HumanInputRequested:
    """A person is asked something by the model."""
    inquiry = {"action": "input", "question": f"What of {call_id}?", **terms}
    return HumanInputRequested(call_id=call_id, expires_at=START + timedelta(hours=1), **inquiry)


def answered(call_id: str, value: Any = "blue", **terms: Any) -> HumanInputProvided:
    """A person answers the model's question."""
    return HumanInputProvided(call_id=call_id, by="bo", value=value, **{"action": "input", **terms})


def unanswered(call_id: str) -> HumanInputExpired:
    """Nobody answers the model's question."""
    return HumanInputExpired(call_id=call_id)


def results_in(blocks: Sequence[Block]) -> list[Block]:
    """The tool results among these blocks."""
    return [block for block in blocks if block["type"] == "tool_result"]
