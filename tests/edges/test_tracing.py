"""Spans: one trace a thread, whoever works on it, sent where the settings say."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry import context, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from structlog.testing import capture_logs
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.spans import CAPTURE_CONTENT
from activities.steps import Learned, ModelStep
from eventlog.events import SessionCompleted
from eventlog.marks import Mark
from settings import Settings
from telemetry.interceptor import Telemetry
from telemetry.lines import _add_trace
from telemetry.spans import configure_tracing, root_of, tracer_provider
from tests.packaging.checkout import ROOT

QUEUE = "tracing"
seen: list[object] = []


@activity.defn
async def act(step: ModelStep) -> Learned:
    """Ends the session, or fails where the step says so."""
    seen.append(context.get_value(CAPTURE_CONTENT))
    if step.step == 13:
        raise ApplicationError("no luck", non_retryable=True)
    ended = SessionCompleted(completion_reason="failure" if step.step == 2 else "success", summary="over")
    return Learned(marks=(Mark.of(7, ended),) if step.step < 3 else ())


@workflow.defn
class Acting:
    """Runs one step."""

    @workflow.run
    async def run(self, step: ModelStep) -> None:
        """Run it."""
        await workflow.execute_activity(
            act, step, start_to_close_timeout=timedelta(seconds=30), retry_policy=RetryPolicy(maximum_attempts=1)
        )

    @workflow.signal
    def nudge(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Traced:
    """A thread that has run, and the spans it left."""

    thread: str
    spans: dict[str, ReadableSpan]


def _memory(settings: Settings) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return tracer_provider(settings, SimpleSpanProcessor(exporter)), exporter


async def _run(address: str, step: int, settings: Settings | None = None) -> Traced:
    settings = settings or Settings()
    provider, exporter = _memory(settings)
    telemetry, thread = Telemetry(settings, provider), str(uuid4())
    client = await Client.connect(address, data_converter=pydantic_data_converter, interceptors=[telemetry])
    async with Worker(
        client, task_queue=QUEUE, workflows=[Acting], activities=[act], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        model_step = ModelStep(started_ms=1_700_000_000_000, step=step, at=5)
        try:
            await client.execute_workflow(Acting.run, model_step, id=thread, task_queue=QUEUE)
        except WorkflowFailureError:
            assert step == 13
    return Traced(thread, {span.name: span for span in exporter.get_finished_spans()})


async def test_a_thread_is_one_trace(temporal_server: str) -> None:
    """The start, the steps and the root are in the trace that the thread's id stands for."""
    traced = await _run(temporal_server, step=1)
    assert traced.spans.keys() == {"start", "act", "invoke_agent perdure"}
    contexts = [span.get_span_context() for span in traced.spans.values()]
    assert {span.trace_id for span in contexts if span} == {root_of(traced.thread).trace_id}
    parents = {name: span.parent.span_id if span.parent else None for name, span in traced.spans.items()}
    root = root_of(traced.thread).span_id
    assert parents == {"start": root, "act": root, "invoke_agent perdure": None}


async def test_the_root_spans_the_whole_thread(temporal_server: str) -> None:
    """The root has the id that the steps have referred to, begins with the thread and says what it was."""
    traced = await _run(temporal_server, step=1)
    root = traced.spans["invoke_agent perdure"]
    own = root.get_span_context()
    assert own
    assert own.span_id == root_of(traced.thread).span_id
    assert root.start_time == 1_700_000_000_000 * 1_000_000
    assert dict(root.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "perdure",
        "gen_ai.conversation.id": traced.thread,
        "perdure.completion_reason": "success",
    }
    assert root.status.status_code is StatusCode.UNSET


async def test_a_failed_thread_is_an_error(temporal_server: str) -> None:
    """The root of a thread that has failed has the status of an error."""
    traced = await _run(temporal_server, step=2)
    assert traced.spans["invoke_agent perdure"].status.status_code is StatusCode.ERROR


async def test_a_step_that_goes_on_has_no_root_yet(temporal_server: str) -> None:
    """Steps are exported while the thread runs; the root is not."""
    traced = await _run(temporal_server, step=3)
    assert traced.spans.keys() == {"start", "act"}


async def test_a_step_says_where_in_temporal_it_is(temporal_server: str) -> None:
    """Its span names the workflow, the run, the activity and the attempt."""
    attributes = dict((await _run(temporal_server, step=3)).spans["act"].attributes or {})
    assert attributes["perdure.attempt"] == 1
    assert {"temporalWorkflowID", "temporalRunID", "temporalActivityID", "gen_ai.conversation.id"} < attributes.keys()


async def test_a_steps_line_says_in_which_span_it_was(temporal_server: str) -> None:
    """The log line of a step that is over has the ids of the step's span."""
    with capture_logs(processors=[_add_trace]) as lines:
        span = (await _run(temporal_server, step=3)).spans["act"].get_span_context()
    assert span
    (line,) = [each for each in lines if each["event"] == "step_done"]
    assert (line["trace_id"], line["span_id"]) == (format_trace_id(span.trace_id), format_span_id(span.span_id))


async def test_an_exception_is_recorded(temporal_server: str) -> None:
    """A step that fails shows its exception."""
    span = (await _run(temporal_server, step=13)).spans["act"]
    assert span.status.status_code is StatusCode.ERROR
    (event,) = span.events
    assert dict(event.attributes or {})["exception.message"] == "no luck"


@pytest.mark.parametrize("capture_content", [False, True])
async def test_activities_are_told_whether_content_may_be_shown(capture_content: bool, temporal_server: str) -> None:
    """The setting reaches an activity in its OpenTelemetry context."""
    seen.clear()
    await _run(temporal_server, step=3, settings=Settings(capture_content=capture_content))
    assert seen == [capture_content]


async def test_threads_are_sampled_whole(temporal_server: str) -> None:
    """With a rate of nothing, nothing of a thread is exported."""
    assert (await _run(temporal_server, step=1, settings=Settings(traces_sample_rate=0))).spans == {}


def test_a_share_of_threads_is_sampled() -> None:
    """With a rate of a half, about half of all threads are kept, and asking twice gives one answer."""
    provider, _ = _memory(Settings(traces_sample_rate=0.5))

    def kept(thread: int) -> bool:
        sampled = provider.sampler.should_sample(None, root_of(str(thread)).trace_id, "x")
        return sampled.decision is Decision.RECORD_AND_SAMPLE

    threads = [kept(thread) for thread in range(1000)]
    assert 400 < sum(threads) < 600
    assert threads == [kept(thread) for thread in range(1000)]


async def test_a_message_is_linked_to_its_sender(temporal_server: str) -> None:
    """What a client sends has a span in the thread's trace, linked to the trace in which it was sent."""
    settings = Settings()
    provider, exporter = _memory(settings)
    client = await Client.connect(temporal_server, interceptors=[Telemetry(settings, provider)])
    handle = await client.start_workflow("Acting", id=str(uuid4()), task_queue="nobody")
    with provider.get_tracer("test").start_as_current_span("request") as request:
        await handle.signal("nudge")
    await handle.terminate()
    (signal,) = [span for span in exporter.get_finished_spans() if span.name == "signal nudge"]
    assert [link.context.span_id for link in signal.links] == [request.get_span_context().span_id]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_tracing_is_off_by_default() -> None:
    """Without a setting there is no provider, and spans cost next to nothing."""
    assert configure_tracing(Settings()) is None
    with Telemetry(Settings(), None).span("step", "thread", SpanKind.INTERNAL):
        assert not trace.get_current_span().is_recording()


@contextmanager
def _collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    received: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        """Takes spans."""

        def do_POST(self) -> None:
            """Take some."""
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROGRAM = """
from opentelemetry import trace
from settings import Settings
from telemetry.spans import configure_tracing

provider = configure_tracing(Settings.load())
with trace.get_tracer("test").start_as_current_span("a span"):
    pass
provider.shutdown()
"""


async def _program(**variables: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=True,
    )


async def test_spans_go_to_an_otlp_collector() -> None:
    """With traces set to otlp they arrive over HTTP, under the service's name."""
    with _collector() as (address, received):
        await _program(PERDURE_TRACES="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=address)
    (request,) = received
    (resource,) = request.resource_spans
    names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert names["service.name"] == "perdure"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["a span"]


async def test_spans_go_to_the_console() -> None:
    """With traces set to console they are printed, each in a line, where they do not disturb a command's output."""
    ran = await _program(PERDURE_TRACES="console")
    [line] = ran.stderr.splitlines()
    assert json.loads(line)["name"] == "a span"
    assert ran.stdout == ""
