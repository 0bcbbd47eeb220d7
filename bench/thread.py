"""A long thread as it stands in the log: people ask, the model calls tools, some wait for approval, some fail."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from eventlog.events import (
    AnyEvent,
    ApprovalGranted,
    ApprovalRequested,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    SessionStarted,
    ToolCall,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionRequested,
    UserMessageAdded,
)
from eventlog.ids import event_id
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.streams import ThreadId
from eventlog.terms import Limits, ToolTerms
from llm.messages import ModelTerms, TokenUsage, text_block

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MODEL = ModelTerms(name="claude-sonnet-4-5", max_tokens=4096)
READ = ToolTerms(name="read_file", digest="b" * 64, effect="read_only", risk="low", timeout=30, attempts=3)
WRITE = ToolTerms(name="write_file", digest="c" * 64, effect="unsafe", risk="high", timeout=30, attempts=1)
LINE = 'src/{0}.py:{1}: the parser asks for a "token" before the file is open; see the caller.\n'
APPROVED = 5
"""Every so many turns the call waits for a person."""
FAILED = 7
"""Every so many turns the tool fails once, every twice as many the model."""


def entries(thread: ThreadId, count: int) -> list[Entry]:
    """The first `count` entries of the thread."""
    events = islice(_events(thread), count)
    return [_entry(thread, position, event) for position, event in enumerate(events)]


def _entry(thread: ThreadId, position: int, event: AnyEvent) -> Entry:
    started_ms = int(START.timestamp() * 1000)
    own, before = (event_id(thread, started_ms, str(each)) for each in (position, position - 1))
    metadata = Metadata(
        at=START + timedelta(milliseconds=310 * position),
        tenant="acme",
        principal="ana@example.com",
        causation_id=before if position > 0 else None,
        correlation_id=thread,
        run_id=str(before),
        activity_id=str(position),
        attempt=1,
        traceparent=f"00-{position:032x}-{position:016x}-01",
        code="0.1.0+g9416694c0ffee",
    )
    return Entry(own, event, metadata)


def _events(thread: ThreadId) -> Iterator[AnyEvent]:
    """Without end: turn after turn, each with one tool call and every third with an answer and a new question."""
    yield _started(thread)
    position, turn = 1, 0
    while True:
        turn += 1
        for event in _turn(turn, position):
            yield event
            position += 1


def _turn(turn: int, position: int) -> Iterator[AnyEvent]:
    """One reply with what comes of it; `position` is that of its first event."""
    if turn % 3 == 1:
        yield UserMessageAdded(message=LINE.format("question", turn) * 4, sender="ana")
        position += 1
    yield _request(turn, position - 1)
    if turn % (2 * FAILED) == 0:
        yield LLMCallFailed(
            step=turn, kind="overloaded", error_message="busy", retry_count=0, will_retry=True, retry_in=2.0
        )
        yield _request(turn, position - 1)
    call = None if turn % 3 == 0 else _call(turn)
    yield _reply(turn, position - 1, call)
    if call is not None:
        yield from _run(turn, call)


def _started(thread: ThreadId) -> SessionStarted:
    return SessionStarted(
        thread_id=thread,
        started_at=START,
        tenant="acme",
        principal="ana",
        mode="chat",
        model=MODEL,
        system="You find and repair faults in programs. " * 10,
        tools=(READ, WRITE),
        limits=Limits(turns=None, tool_calls=None, tokens=None),
        approval_timeout=3600,
        idle_timeout=None,
    )


def _call(turn: int) -> ToolCall:
    arguments = {"path": f"src/module_{turn}.py", "lines": [turn, turn + 40], "why": LINE.format("look", turn)}
    tool = WRITE if turn % APPROVED == 0 else READ
    return ToolCall(id=f"toolu_{turn:024}", name=tool.name, arguments=arguments, title=f"{tool.name} module_{turn}.py")


def _request(turn: int, at: int) -> LLMCallRequested:
    return LLMCallRequested(
        step=turn,
        at=at,
        projection="transcript",
        projection_version=1,
        model=MODEL,
        tools_digest="b" * 64,
        request_sha256=f"{turn:064x}",
        request_bytes=1800 * turn,
    )


def _reply(turn: int, at: int, call: ToolCall | None) -> LLMResponseReceived:
    said = text_block(LINE.format("reply", turn) * 3)
    use = [] if call is None else [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}]
    return LLMResponseReceived(
        step=turn,
        at=at,
        content=(said, *use),
        tool_calls=() if call is None else (call,),
        stop_reason="end_turn" if call is None else "tool_use",
        final=call is None,
        model_name="claude-sonnet-4-5-20250929",
        token_usage=TokenUsage(input_tokens=310, output_tokens=155, cache_read_tokens=1200 * turn),
        cost_usd=Decimal("0.00198"),
        duration_ms=1450,
        message_id=f"msg_{turn:024}",
        request_id=f"req_{turn:024}",
    )


def _run(turn: int, call: ToolCall) -> Iterator[AnyEvent]:
    """The call's own events, from the question to the outcome."""
    terms = {"call_id": call.id, "tool_name": call.name}
    if turn % APPROVED == 0:
        yield ApprovalRequested(
            **terms,
            arguments=call.arguments,
            digest="d" * 64,
            question=f"May {call.title} be written?",
            reason="the tool changes files",
            risk="high",
            expires_at=START + timedelta(days=400),
        )
        yield ApprovalGranted(call_id=call.id, digest="d" * 64, approver="ana")
    yield ToolExecutionRequested(**terms, arguments=call.arguments, digest="d" * 64, effect="read_only")
    if turn % FAILED == 0:
        yield ToolExecutionFailed(**terms, kind="error", error_message="no such file", retry_count=0)
    else:
        result = (text_block("".join(LINE.format(turn, line) for line in range(7))),)
        yield ToolExecutionCompleted(**terms, result=result, execution_time_ms=12)
