"""Spans, and where they go.

All spans of a thread are one trace, whoever started the thread and however many processes have worked on it: the
trace's id, and that of its root span, are made of the thread's id. So an activity's span goes out as soon as it ends,
and the root when the thread has ended, be that days later.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, Status, TraceFlags
from opentelemetry.util.types import Attributes, AttributeValue

from settings import Settings
from telemetry.lines import Strike

SERVICE = "perdure"

_root: ContextVar[SpanContext | None] = ContextVar("perdure.root_span", default=None)


class ThreadIds(RandomIdGenerator):
    """Random ids, but those of the thread for a thread's root span."""

    def generate_trace_id(self) -> int:
        """The id of a new trace."""
        root = _root.get()
        return root.trace_id if root else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The id of a new span."""
        root = _root.get()
        return root.span_id if root else super().generate_span_id()


def _as_it_is(text: str) -> str:
    return text


class Discreet(SpanExporter):
    """Another exporter, which is handed spans whose texts tell no secret, whoever put them there."""

    def __init__(self, exporter: SpanExporter, strike: Strike) -> None:
        self._exporter = exporter
        self._strike = strike

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans without secrets."""
        return self._exporter.export([self._struck(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the other exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the other exporter send all it has."""
        return self._exporter.force_flush(timeout_millis)

    def _struck(self, span: ReadableSpan) -> ReadableSpan:
        status, strike = span.status, self._strike
        description = status.description if status.description is None else strike(status.description)
        return ReadableSpan(
            name=strike(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._attributes(span.attributes),
            events=[
                Event(strike(each.name), self._attributes(each.attributes), each.timestamp) for each in span.events
            ],
            links=[Link(each.context, self._attributes(each.attributes)) for each in span.links],
            kind=span.kind,
            status=Status(status.status_code, description),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _attributes(self, attributes: Attributes) -> dict[str, AttributeValue]:
        return {self._strike(key): self._value(value) for key, value in (attributes or {}).items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._strike(value)
        return [self._value(each) for each in value] if isinstance(value, Sequence) else value


def _one_line(span: ReadableSpan) -> str:
    """Log lines stand on the same stream, and whatever reads it reads lines."""
    return f"{span.to_json(indent=None)}\n"


def configure_tracing(settings: Settings, strike: Strike = _as_it_is) -> TracerProvider | None:
    """Send spans where the settings say, if anywhere, each text in them as `strike` leaves it.

    Shut the provider down before the process ends.
    """
    match settings.traces:
        case "none":
            return None
        case "otlp":
            provider = tracer_provider(settings, BatchSpanProcessor(Discreet(OTLPSpanExporter(), strike)))
        case "console":
            exporter = ConsoleSpanExporter(out=sys.stderr, formatter=_one_line)
            provider = tracer_provider(settings, SimpleSpanProcessor(Discreet(exporter, strike)))
    trace.set_tracer_provider(provider)
    return provider


class _Sampler(TraceIdRatioBased):
    """Keeps or drops whole threads, and drops what the MCP SDK says of our calls: it quotes the servers' errors."""

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *args: Any, **kwargs: Any
    ) -> SamplingResult:
        """Whether the span is recorded."""
        if name.startswith("MCP send "):
            return SamplingResult(Decision.DROP)
        return super().should_sample(parent_context, trace_id, name, *args, **kwargs)


def tracer_provider(settings: Settings, processor: SpanProcessor) -> TracerProvider:
    """A provider that keeps or drops whole threads."""
    provider = TracerProvider(
        sampler=_Sampler(settings.traces_sample_rate),
        resource=Resource.create({"service.name": SERVICE}),
        id_generator=ThreadIds(),
    )
    provider.add_span_processor(processor)
    return provider


def root_of(thread_id: str) -> SpanContext:
    """The root span of a thread, whether or not it has been exported yet."""
    digest = hashlib.sha256(thread_id.encode()).digest()
    trace_id, span_id = int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


@contextmanager
def rooted(thread_id: str) -> Iterator[None]:
    """Within the block, a span that is begun is the thread's root."""
    token = _root.set(root_of(thread_id))
    try:
        yield
    finally:
        _root.reset(token)
