"""What traces say of MCP servers."""

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from settings import Settings
from telemetry.spans import tracer_provider


def test_the_sdks_spans_are_dropped() -> None:
    """The SDK puts a server's errors into spans of its own, which are not kept; ours are."""
    exporter = InMemorySpanExporter()
    tracer = tracer_provider(Settings(), SimpleSpanProcessor(exporter)).get_tracer("any")
    with tracer.start_as_current_span("MCP send tools/call unruly"), tracer.start_as_current_span("tool unruly"):
        pass
    assert [span.name for span in exporter.get_finished_spans()] == ["tool unruly"]
