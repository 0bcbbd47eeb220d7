"""What stands around every activity and every message to a thread: the keys of its log lines, and its span."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, Status, StatusCode
from temporalio import activity, client, worker

from activities.spans import CAPTURE_CONTENT
from activities.steps import InThread, Learned, ModelStep, ToolStep
from eventlog.events import SessionCompleted
from settings import Settings
from telemetry.lines import bind, get_logger
from telemetry.spans import SERVICE, root_of, rooted


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
        with rooted(thread_id):
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
