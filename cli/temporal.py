"""Temporal, as the client meets it: its failures in the words of `errors.py`, and who works on a task queue."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, RPCTimeoutOrCancelledError
from temporalio.common import Priority
from temporalio.service import RPCError, RPCStatusCode

from cli.errors import TemporalUnreachable

RPC_TIMEOUT = timedelta(seconds=10)
_SILENT = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_STUCK = "Workflow Task in failed state"
_UNSTICK = (
    "the thread's worker fails at it: its log and the Web UI say why; "
    "run the version of Perdure that the thread was begun with, or end it: temporal workflow terminate -w THREAD"
)


LONGEST_KEY = 64
"""Bytes of a fairness key, as Temporal takes them."""


def on_behalf_of(tenant: str) -> Priority:
    """What lets Temporal be fair between tenants, where its server is set to be; activities take it over."""
    written = tenant.encode("utf-8", "replace")
    return Priority(
        fairness_key=hashlib.sha256(written).hexdigest() if len(written) > LONGEST_KEY else written.decode()
    )


class NoSuchWorkflow(LookupError):
    """Temporal has no running workflow of that id; it may have had one."""


@contextmanager
def temporal(client: Client) -> Iterator[None]:
    """Translates what calls to Temporal raise."""
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            raise NoSuchWorkflow from error
        raise unreachable(client, error) from error
    except RPCTimeoutOrCancelledError as error:
        raise unreachable(client, error) from error
    except RuntimeError as error:
        # A lazy client connects with its first call, and the SDK has no class for "that failed".
        if "Failed client connect" not in str(error):
            raise
        raise unreachable(client, error) from error


def unreachable(client: Client, error: Exception) -> TemporalUnreachable:
    """Says which server did not do its part, and why."""
    address, namespace = client.service_client.config.target_host, client.namespace
    if isinstance(error, RPCError) and error.status not in _SILENT:
        stuck = _STUCK in error.message
        return TemporalUnreachable(
            f"Temporal at {address} (namespace {namespace!r}) says: {error.message}",
            remedy=_UNSTICK if stuck else "check the namespace and its search attributes with `perdure doctor`",
            kind="temporal_refuses",
        )
    return TemporalUnreachable(
        f"Temporal at {address} does not answer",
        remedy="start it with `perdure up`, or check TEMPORAL_ADDRESS; `perdure doctor` looks at every part",
    )


async def count_workers(client: Client, task_queue: str) -> int:
    """How many workers have polled the task queue in the last minutes."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    with temporal(client):
        answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    return len(answer.pollers)
