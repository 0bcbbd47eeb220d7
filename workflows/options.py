"""How activities are called: how long each may take, when it counts as dead, how often it is tried."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class LocalOptions(TypedDict):
    """Keyword arguments of `workflow.execute_local_activity_method`."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class Options(LocalOptions):
    """Keyword arguments of `workflow.execute_activity_method`."""

    heartbeat_timeout: timedelta


HEARTBEAT = timedelta(seconds=8)
"""Silence after which a worker is taken for dead; it beats every second."""
MARGIN = timedelta(minutes=15)
"""What an activity may take on top of its tool: to read, to write, and to wait with its outcome for the database."""

CRASHES = 2
"""So often a worker may die under a tool call that is no fault of the tool's; one that kills its worker stops there."""
LOG_AWAY = ("LogUnavailable", "ConnectionLost", "LogMisconfigured")
"""What an activity fails with that had only to wait: nothing is given up for that, also not after the last attempt."""

LOG: Options = {
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=500,
    ),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
"""Reading and writing the log: without it nothing can go on, so it is waited for, some four hours."""

MODEL: Options = {
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=60),
        maximum_attempts=40,
    ),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
"""Asking the model. Its refusals are counted by the activity itself; these attempts are for processes that die."""


STOPPING: Options = {
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
"""Cleaning up after a call: where that cannot be done, the call is recorded as stopped without it."""


def tool_options(timeout: float, attempts: int) -> Options:
    """Running a tool that may take `timeout` seconds and be tried `attempts` times, not counting a crash or two."""
    return {
        "start_to_close_timeout": timedelta(seconds=timeout) + MARGIN,
        "heartbeat_timeout": HEARTBEAT,
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            maximum_interval=timedelta(seconds=30),
            maximum_attempts=attempts + CRASHES,
        ),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def quick_options(timeout: float, attempts: int) -> LocalOptions:
    """Running a quick tool within the workflow task: no queue, no heartbeat, the same retries."""
    options = tool_options(timeout, attempts)
    return {
        "start_to_close_timeout": options["start_to_close_timeout"],
        "retry_policy": options["retry_policy"],
        "cancellation_type": options["cancellation_type"],
    }
