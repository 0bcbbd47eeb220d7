"""Which threads there are, as Temporal's visibility store lists them; the log knows those it has forgotten."""

from collections.abc import AsyncGenerator

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from cli.answers import ThreadLine
from cli.temporal import RPC_TIMEOUT, temporal
from eventlog.events import SessionStarted
from eventlog.log import EventLog
from eventlog.streams import AGENT, ThreadId
from projections.evolution import evolve
from projections.session import Session, Status

STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
TENANT = SearchAttributeKey.for_keyword("PerdureTenant")
PENDING = SearchAttributeKey.for_int("PerdurePending")
STOP = "PerdureStop"
"""The memo that says where a thread was stopped."""

_OURS = "WorkflowType = 'Agent' AND ExecutionStatus != 'ContinuedAsNew'"
_PAGE = 100
_OPEN = frozenset({"running", "waiting", "paused"})
CLOSED_OTHERWISE: dict[WorkflowExecutionStatus, Status] = {
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "failed",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "terminated",
}
"""What a workflow's end means for its thread, where the workflow did not simply complete."""
OVER = frozenset({*CLOSED_OTHERWISE, WorkflowExecutionStatus.COMPLETED})
"""How a workflow stands that will do no more."""


async def listed(client: Client, status: Status | None, tenant: str | None) -> AsyncGenerator[ThreadLine]:
    """The threads Temporal knows, newest first, each once."""
    seen: set[str] = set()
    with temporal(client):
        async for execution in client.list_workflows(_query(status, tenant), page_size=_PAGE, rpc_timeout=RPC_TIMEOUT):
            line = await _line(execution)
            if execution.id not in seen and status in {None, line.status}:
                yield line
            seen.add(execution.id)


async def waiting(client: Client) -> list[ThreadId]:
    """The threads that may wait for a person, longest first: those with questions, and those that stand still."""
    query = f"{_OURS} AND ExecutionStatus = 'Running' AND ({PENDING.name} > 0 OR {STATUS.name} = 'paused')"
    with temporal(client):
        found = [ThreadId(each.id) async for each in client.list_workflows(query, rpc_timeout=RPC_TIMEOUT)]
    return found[::-1]


def _query(status: Status | None, tenant: str | None) -> str:
    query = _OURS
    if status is not None:
        query += f" AND ExecutionStatus {'=' if status in _OPEN else '!='} 'Running'"
    if tenant is not None:
        query += f""" AND {TENANT.name} = '{tenant.replace("'", "''")}'"""
    return query


async def _line(execution: WorkflowExecution) -> ThreadLine:
    attributes = execution.typed_search_attributes
    return ThreadLine(
        thread_id=execution.id,
        status=status_of(execution),
        started_at=execution.start_time,
        closed_at=execution.close_time,
        tenant=attributes.get(TENANT) or "default",
        pending=(attributes.get(PENDING) or 0) if execution.close_time is None else 0,
        stopped_at=await execution.memo_value(STOP, None) if execution.close_time is None else None,
    )


def status_of(execution: WorkflowExecution) -> Status:
    """The thread's status: its own word, unless its workflow was ended from outside."""
    if execution.status in CLOSED_OTHERWISE:
        told = execution.typed_search_attributes.get(STATUS)
        return "failed" if told == "failed" else CLOSED_OTHERWISE[execution.status]
    told = execution.typed_search_attributes.get(STATUS)
    if execution.status == WorkflowExecutionStatus.COMPLETED:
        return told if told in {"completed", "failed", "terminated"} else "completed"  # type: ignore[return-value]
    return told if told in _OPEN else "running"  # type: ignore[return-value]


async def logged(log: EventLog) -> list[ThreadLine]:
    """Every thread in the log, newest first: it forgets none."""
    sessions: dict[str, Session] = {}
    async for recorded in log.read_category(AGENT):
        thread = recorded.stream.removeprefix(f"{AGENT}-")
        known = sessions.get(thread)
        if known is None and not isinstance(recorded.event, SessionStarted):
            continue
        sessions[thread] = evolve(known or Session(), recorded.position, recorded.event)
    return [_from_log(thread, session) for thread, session in reversed(sessions.items())]


def _from_log(thread: str, session: Session) -> ThreadLine:
    return ThreadLine(
        thread_id=thread,
        status=session.status,
        started_at=session.started_at,
        closed_at=None,
        tenant=session.tenant,
        pending=len(session.waiting_for_answer),
        stopped_at=session.stopped_at or None,
    )
