"""OpenTelemetry spans of model calls and tools, by the GenAI semantic conventions. No content is put in by default."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue
from temporalio import activity

from llm.messages import ModelReply, ModelRequest
from tools.toolbox import Planned, Succeeded, ToolResult

CAPTURE_CONTENT = "perdure.capture_content"
"""Stands, true, in the OpenTelemetry context of an activity whose spans may show what was said."""
_TRACER = "perdure"


@dataclass(frozen=True, slots=True)
class ChatSpan:
    """The span of one model call."""

    span: Span

    def tell(self, reply: ModelReply) -> None:
        """Add what the reply says of itself."""
        usage = reply.usage
        self.span.set_attributes(
            {
                "gen_ai.response.id": reply.message_id,
                "gen_ai.response.model": reply.model,
                "gen_ai.response.finish_reasons": [reply.stop_reason],
                "gen_ai.usage.input_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
                "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            }
        )
        _show(self.span, lambda: {"gen_ai.output.messages": [{"role": "assistant", "content": list(reply.content)}]})


@dataclass(frozen=True, slots=True)
class ToolSpan:
    """The span of one tool call."""

    span: Span

    def tell(self, result: ToolResult | None) -> None:
        """Add what came of it."""
        if isinstance(result, Succeeded):
            _show(self.span, lambda: {"gen_ai.tool.call.result": list(result.result)})
        else:
            self.span.set_attribute("error.type", result.kind if result else "outcome_unknown")


@contextmanager
def chat_span(request: ModelRequest) -> Iterator[ChatSpan]:
    """The span around one model call; exceptions are recorded."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": request.terms.name,
        "gen_ai.request.max_tokens": request.terms.max_tokens,
        "gen_ai.conversation.id": activity.info().workflow_id or "",
    }
    name = f"chat {request.terms.name}"
    with _span(name, SpanKind.CLIENT, attributes) as span:
        _show(span, lambda: _said_to(request))
        yield ChatSpan(span)


@contextmanager
def tool_span(planned: Planned, call_id: str) -> Iterator[ToolSpan]:
    """The span around one tool; exceptions are recorded."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": planned.name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
        "gen_ai.conversation.id": activity.info().workflow_id or "",
    }
    name = f"execute_tool {planned.name}"
    with _span(name, SpanKind.INTERNAL, attributes) as span:
        _show(span, lambda: {"gen_ai.tool.call.arguments": planned.arguments})
        yield ToolSpan(span)


def _span(name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue]) -> AbstractContextManager[Span]:
    """A span; where nobody has said where spans go, one that costs nothing and takes nothing."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return nullcontext(trace.INVALID_SPAN)
    return trace.get_tracer(_TRACER).start_as_current_span(name, kind=kind, attributes=attributes)


def _said_to(request: ModelRequest) -> dict[str, object]:
    messages = [message.json for message in request.messages]
    return {"gen_ai.system_instructions": request.system, "gen_ai.input.messages": messages}


def _show(span: Span, content: Callable[[], Mapping[str, object]]) -> None:
    """Put content on a span, where that is allowed; it is not put together where it is not."""
    if span.is_recording() and context.get_value(CAPTURE_CONTENT):
        span.set_attributes({key: json.dumps(value, default=str) for key, value in content().items()})
