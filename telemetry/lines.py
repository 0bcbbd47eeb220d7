"""Log lines: what a process tells of itself as it goes, rendered in one way, without secrets."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO, TypeAlias

import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger
from temporalio import activity, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from settings import Settings

TALKATIVE = ("anthropic", "httpx2", "httpcore2", "urllib3")
"""Libraries that log requests: quiet unless what was said may be shown."""

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
