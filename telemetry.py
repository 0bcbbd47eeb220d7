"""What a process tells of itself: log lines and spans.

All spans of a thread are one trace, whoever started the thread and however many processes have worked on it: the
trace's id, and that of its root span, are made of the thread's id. So an activity's span goes out as soon as it ends,
and the root when the thread has ended, be that days later.
"""

import asyncio
import hashlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, TextIO, TypeAlias

import structlog
from opentelemetry import context, trace
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
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import Attributes, AttributeValue
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger
from temporalio import activity, client, worker, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from activities.spans import CAPTURE_CONTENT
from activities.steps import InThread, Learned, ModelStep, ToolStep
from eventlog.events import SessionCompleted
from settings import Settings

SERVICE = "perdure"
TALKATIVE = ("anthropic", "httpx2", "httpcore2", "urllib3")
"""Libraries that log requests: quiet unless what was said may be shown."""

# -- log lines ------------------------------------------------------------------------------------


Strike: TypeAlias = Callable[[str], str]
"""Takes out of a text what must not be told."""


class Redactor:
    """Strikes secrets out of finished log lines, wherever in them they stand."""

    SHAPES = (
        (re.compile(r"sk-ant-[\w-]+"), "***"),
        (re.compile(r"(?i)(bearer\s+)[\w.~+/=-]{8,}"), r"\1***"),
        (re.compile(r"(://[^:/@\s\"]*:)[^@/\s\"]+(?=@)"), r"\1***"),
        (re.compile(r"(?i)(password=)[^\s\"'&]+"), r"\1***"),
    )
    SHORTEST = 8
    """A shorter secret is also a part of innocent words."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted((secret for secret in secrets if len(secret) >= self.SHORTEST), key=len, reverse=True)
        self.strikes: list[Strike] = []
        """What else every line passes through."""

    def __call__(self, _logger: WrappedLogger, _method: str, line: Any) -> str:
        """Be the last of a line's processors."""
        text = self.redact(str(line))
        for strike in self.strikes:
            text = strike(text)
        return text

    def redact(self, text: str) -> str:
        """The text without its secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        for shape, instead in self.SHAPES:
            text = shape.sub(instead, text)
        return text


class _Out:
    """Renders our lines and writes them where a handler writes those of libraries: a record of each would add half."""

    def __init__(self, handler: "logging.StreamHandler[TextIO]", rendering: Sequence[Processor], name: str) -> None:
        self.name = name
        self._handler = handler
        self._rendering = rendering

    def write(self, /, **line: Any) -> None:
        """Write the line; one that cannot be rendered or written stops nobody, as with the handler's own."""
        finished: Any = line
        try:
            for process in self._rendering:
                finished = process(self, "", finished)
            with self._handler.lock or nullcontext():
                self._handler.stream.write(f"{finished}\n")
                self._handler.flush()
        except Exception:  # noqa: BLE001 - whatever a value does that is to be shown
            self._handler.handleError(logging.makeLogRecord({"msg": "a line was lost"}))

    debug = info = warning = error = critical = write


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Render all log lines of this process, ours and the libraries', in one way.

    Start uvicorn with `log_config=None`, so that it leaves its lines to us.
    """
    stream = stream or sys.stderr
    handler, level = logging.StreamHandler(stream), settings.log_level.upper()
    named = structlog.stdlib.LoggerFactory([__name__])  # by their module, where they were given no name
    rendering = _rendering(settings, on_terminal=stream.isatty())
    structlog.configure(
        processors=[*_SHARED],
        logger_factory=lambda *name: _Out(handler, rendering, named(*name).name),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_SHARED, processors=[ProcessorFormatter.remove_processors_meta, *rendering]
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.NOTSET if settings.capture_content else logging.WARNING)
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


@contextmanager
def striking(strike: Strike) -> Iterator[None]:
    """Have finished log lines pass through `strike` too, within the block."""
    formatters = [each.formatter for each in logging.getLogger().handlers]
    last = [each.processors[-1] for each in formatters if isinstance(each, ProcessorFormatter)]
    redactors = [each for each in last if isinstance(each, Redactor)]
    for redactor in redactors:
        redactor.strikes.append(strike)
    try:
        yield
    finally:
        for redactor in redactors:
            redactor.strikes.remove(strike)


def _rendering(settings: Settings, *, on_terminal: bool) -> list[Processor]:
    """What makes a line of it, without secrets."""
    readable = settings.log_format == "console" or (settings.log_format == "auto" and on_terminal)
    console = structlog.dev.ConsoleRenderer(
        colors=on_terminal,
        exception_formatter=structlog.dev.plain_traceback,  # a rich one shows variables, and secrets
    )
    made = [console] if readable else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [*made, Redactor(settings.secrets())]


def _flatten(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Call what Temporal's loggers attach by our names."""
    where = line.pop("temporal_activity", None) or line.pop("temporal_workflow", None) or {}
    named = {
        "thread_id": where.get("workflow_id"),
        "run_id": where.get("workflow_run_id") or where.get("run_id"),
        "activity": where.get("activity_type"),
        "attempt": where.get("attempt"),
    }
    core = line.pop("temporal_log", None)
    return {**(core.fields if core else {}), **{key: value for key, value in named.items() if value}, **line}


def _add_trace(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Say in which span this was logged, if in one that is recorded."""
    span = trace.get_current_span()
    if not isinstance(span, NonRecordingSpan):
        here = span.get_span_context()
        line["trace_id"], line["span_id"] = trace.format_trace_id(here.trace_id), trace.format_span_id(here.span_id)
    return line


_SHARED: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    _flatten,
    _add_trace,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)
"""What is done with every line, ours or a library's, before it is rendered."""


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines are an event's name in snake_case, and keys with values."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def bind(**keys: object) -> AbstractContextManager[Any]:
    """Put keys such as `thread_id` on every line that is logged within the block, by whomever."""
    return structlog.contextvars.bound_contextvars(**keys)


def temporal_runtime() -> Runtime:
    """A runtime whose native part logs through us; one a process, for `Client.connect(runtime=…)`."""
    forwarding = LogForwardingConfig(
        logging.getLogger("temporalio.core"), prepend_target_on_message=False, append_log_fields_to_message=False
    )
    native = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=native))


# -- spans ----------------------------------------------------------------------------------------

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


class Telemetry(client.Interceptor, worker.Interceptor):
    """Gives every activity its log context and its span, and every message to a thread a span.

    Given to `Client.connect`, it serves the workers of that client too. Workflows are left alone: what they decide
    shows in their activities, and a span in a workflow would be one for every replay.
    """

    def __init__(self, settings: Settings, provider: TracerProvider | None) -> None:
        self._capture_content = settings.capture_content
        self._records = provider is not None
        self._tracer = (provider or trace.NoOpTracerProvider()).get_tracer(SERVICE)

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002
        """Watch what a client sends."""
        return _Messages(next, self)

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:  # noqa: A002
        """Watch what a worker does."""
        return _Steps(next, self)

    def span(self, name: str, thread_id: str, kind: SpanKind, **attributes: str | int) -> AbstractContextManager[None]:
        """A span in the thread's trace, linked to the caller's own where there is one; none where spans go nowhere."""
        return self._recorded(name, thread_id, kind, attributes) if self._records else nullcontext()

    @contextmanager
    def _recorded(
        self, name: str, thread_id: str, kind: SpanKind, attributes: Mapping[str, str | int]
    ) -> Iterator[None]:
        caller = trace.get_current_span().get_span_context()
        within = trace.set_span_in_context(NonRecordingSpan(root_of(thread_id)), Context())
        token = context.attach(context.set_value(CAPTURE_CONTENT, self._capture_content, within))
        try:
            with self._tracer.start_as_current_span(
                name,
                kind=kind,
                links=[Link(caller)] if caller.is_valid else [],
                attributes={"gen_ai.conversation.id": thread_id, **attributes},
            ):
                yield
        finally:
            context.detach(token)

    def close_thread(self, thread_id: str, started_ms: int, completed: SessionCompleted) -> None:
        """Export the root span of a thread that has ended."""
        token = _root.set(root_of(thread_id))
        try:
            span = self._tracer.start_span(
                f"invoke_agent {SERVICE}",
                Context(),
                start_time=started_ms * 1_000_000,
                attributes={
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": SERVICE,
                    "gen_ai.conversation.id": thread_id,
                    "perdure.completion_reason": completed.completion_reason,
                },
            )
        finally:
            _root.reset(token)
        if completed.completion_reason == "failure":
            span.set_status(Status(StatusCode.ERROR))
        span.end()


class _Messages(client.OutboundInterceptor):
    """Spans around what a client sends to a thread."""

    def __init__(self, next: client.OutboundInterceptor, telemetry: Telemetry) -> None:  # noqa: A002
        super().__init__(next)
        self._telemetry = telemetry

    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:  # noqa: A002
        with self._telemetry.span("start", input.id, SpanKind.PRODUCER):
            return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:  # noqa: A002
        with self._telemetry.span(f"signal {input.signal}", input.id, SpanKind.PRODUCER):
            await super().signal_workflow(input)

    async def start_workflow_update(
        self,
        input: client.StartWorkflowUpdateInput,  # noqa: A002
    ) -> client.WorkflowUpdateHandle[Any]:
        with self._telemetry.span(f"update {input.update}", input.id, SpanKind.CLIENT):
            return await super().start_workflow_update(input)


_steps = get_logger("perdure.steps")


class _Steps(worker.ActivityInboundInterceptor):
    """Log context and spans around activities."""

    def __init__(self, next: worker.ActivityInboundInterceptor, telemetry: Telemetry) -> None:  # noqa: A002
        super().__init__(next)
        self._telemetry = telemetry

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        thread_id, step = info.workflow_id or "", input.args[0] if input.args else None
        keys = {"activity": info.activity_type, "attempt": info.attempt, **_step_keys(step)}
        span = self._telemetry.span(info.activity_type, thread_id, SpanKind.CONSUMER, **_span_attributes(info))
        with bind(thread_id=thread_id, run_id=info.workflow_run_id, **keys), span:
            began = time.monotonic()
            result = await super().execute_activity(input)
            told = {"duration_ms": round((time.monotonic() - began) * 1000), "events": _written(result)}
            # soon, with the keys of this block: Temporal need not wait for a line about what is done
            asyncio.get_running_loop().call_soon(partial(_steps.info, "step_done", **told))
        if isinstance(step, InThread):
            for completed in _completions(result):
                self._telemetry.close_thread(thread_id, step.started_ms, completed)
        return result


def _step_keys(step: object) -> dict[str, object]:
    match step:
        case ToolStep():
            return {"step": step.step, "call_id": step.call}
        case ModelStep():
            return {"step": step.step}
        case _:
            return {}


def _span_attributes(info: activity.Info) -> dict[str, str | int]:
    return {
        "temporalWorkflowID": info.workflow_id or "",
        "temporalRunID": info.workflow_run_id or "",
        "temporalActivityID": info.activity_id,
        "perdure.attempt": info.attempt,
    }


def _written(result: object) -> list[str]:
    marks = result.marks if isinstance(result, Learned) else ()
    return [f"{mark.position} {mark.event.type}" for mark in marks]


def _completions(result: object) -> list[SessionCompleted]:
    marks = result.marks if isinstance(result, Learned) else ()
    return [mark.event for mark in marks if isinstance(mark.event, SessionCompleted)]
