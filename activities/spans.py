"""OpenTelemetry spans of model calls and tools, by the GenAI semantic conventions. No content is put in by default."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue
from temporalio import activity

from llm.messages import ModelReply, ModelRequest

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
    with trace.get_tracer(_TRACER).start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
        yield ChatSpan(span)


@contextmanager
def tool_span(name: str, call_id: str) -> Iterator[Span]:
    """The span around one tool; exceptions are recorded."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
        "gen_ai.conversation.id": activity.info().workflow_id or "",
    }
    with trace.get_tracer(_TRACER).start_as_current_span(f"execute_tool {name}", attributes=attributes) as span:
        yield span
