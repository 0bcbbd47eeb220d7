"""What Temporal's history says of a thread: its runs, and what each of their activities answered."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory

from activities.steps import Learned
from cli.temporal import RPC_TIMEOUT, NoSuchWorkflow, temporal
from eventlog.marks import Mark
from eventlog.streams import ThreadId

WORKFLOW = "Agent"
_LOCAL = "core_local_activity"
"""The SDK's name for the marker in which a local activity's answer stands."""


class Unreadable(ValueError):
    """An activity's answer is none that this version knows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one activity told its workflow."""

    activity_id: str
    marks: tuple[Mark, ...] = ()
    position: int | None = None
    """Where the session stood that was opened or recalled."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a workflow."""

    id: str
    before: str
    """The run it continues; empty for the first."""
    after: str
    """The run that continues it, where there is one."""
    answers: tuple[Answer, ...]
    """In the order in which they came."""
    reason: str | None
    """Why the session ended, as the workflow returned it; None where it has returned nothing."""
    resumed: bool = False
    """Whether it began with a stream that was there already."""


@dataclass(frozen=True, slots=True)
class History:
    """All that Temporal still knows."""

    runs: tuple[Run, ...]
    """Oldest first, never none."""
    whole: bool
    """Whether the first run is among them: Temporal forgets runs that ended long ago, and knows none of elsewhere."""
    status: WorkflowExecutionStatus | None
    """Of the last run."""

    @property
    def last(self) -> Run:
        """The newest run."""
        return self.runs[-1]


async def read_history(client: Client, thread: ThreadId) -> History | None:
    """The thread's history; None where Temporal knows no agent of that id. Raises `Unreadable`."""
    try:
        with temporal(client):
            found = await client.get_workflow_handle(thread).describe(rpc_timeout=RPC_TIMEOUT)
            if found.workflow_type != WORKFLOW:
                return None
            runs = [await _run(client, thread, found.run_id)]
            while runs[-1].after:  # it went on while it was read
                runs.append(await _run(client, thread, runs[-1].after))
    except NoSuchWorkflow:
        return None
    whole = await _go_back(client, thread, runs)
    status = found.status if runs[-1].id == found.run_id else WorkflowExecutionStatus.RUNNING
    return History(tuple(runs), whole, status)


async def _go_back(client: Client, thread: ThreadId, runs: list[Run]) -> bool:
    """Put the older runs before the newest ones; whether none is missing."""
    while runs[0].before:
        try:
            with temporal(client):
                runs.insert(0, await _run(client, thread, runs[0].before))
        except NoSuchWorkflow:
            return False
    return not runs[0].resumed


async def knows_run(client: Client, thread: ThreadId, run_id: str) -> bool:
    """Whether there was such a run of this thread's workflow, also one that the newest does not continue."""
    try:
        UUID(run_id)
    except ValueError:  # Temporal would not even look for it
        return False
    try:
        with temporal(client):
            await client.get_workflow_handle(thread, run_id=run_id).describe(rpc_timeout=RPC_TIMEOUT)
    except NoSuchWorkflow:
        return False
    return True


async def _run(client: Client, thread: ThreadId, run_id: str) -> Run:
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(thread, run_id=run_id)
    history = await handle.fetch_history()
    answers = [each async for each in _answers(client, history)]
    first, last = history.events[0], history.events[-1]
    started = first.workflow_execution_started_event_attributes
    result = last.workflow_execution_completed_event_attributes.result
    returned = await _decoded(client, result)
    return Run(
        id=run_id,
        before=started.continued_execution_run_id,
        after=last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id,
        answers=tuple(answers),
        reason=returned.get("reason") if isinstance(returned, dict) else None,
        resumed=len(started.input.payloads) > 1,
    )


async def _answers(client: Client, history: WorkflowHistory) -> AsyncIterator[Answer]:
    scheduled: dict[int, str] = {}
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_id
        elif event.HasField("activity_task_completed_event_attributes"):
            completed = event.activity_task_completed_event_attributes
            yield _answer(scheduled[completed.scheduled_event_id], await _decoded(client, completed.result))
        elif event.HasField("marker_recorded_event_attributes"):
            yield await _local_answer(client, event)


async def _local_answer(client: Client, event: HistoryEvent) -> Answer:
    marker = event.marker_recorded_event_attributes
    if marker.marker_name != _LOCAL:
        return Answer("")
    about = await _decoded(client, marker.details["data"]) if "data" in marker.details else None
    activity_id = str(about["activity_id"]) if isinstance(about, dict) and "activity_id" in about else ""
    return _answer(
        activity_id, await _decoded(client, marker.details["result"]) if "result" in marker.details else None
    )


async def _decoded(client: Client, payloads: Payloads) -> Any:
    found: Sequence[Any] = await client.data_converter.decode(payloads.payloads) if payloads.payloads else [None]
    return found[0]


def _answer(activity_id: str, value: Any) -> Answer:
    """Steps answer with marks; opening and recalling a session with all of it."""
    if not isinstance(value, dict):
        return Answer(activity_id)
    if "thread_id" in value and "position" in value:
        return Answer(activity_id, position=int(value["position"]))
    try:
        return Answer(activity_id, Learned.model_validate(value).marks)
    except (ValidationError, LookupError) as error:
        raise Unreadable(f"activity {activity_id} answered with what this version cannot read: {error!r}") from error
