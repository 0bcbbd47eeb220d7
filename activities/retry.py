"""How long to wait before something that failed is tried again."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds, unless the provider asks for longer."""
LONGEST_RETRY_AFTER = 600.0
"""A provider that asks for more is asked again after this."""


def pause_before(retry: int, retry_after: float | None = None) -> float:
    """Seconds before the `retry`-th retry (0, 1, …): doubling, but as long as was asked for.

    Who asks for no time at all, or for one that is over, has said nothing: attempts are few, and soon used up.
    """
    backing_off = min(FIRST_PAUSE * 2.0**retry, LONGEST_PAUSE)
    if retry_after is None or retry_after <= 0:
        return backing_off
    return min(retry_after, LONGEST_RETRY_AFTER)


def try_again(kind: str, problem: str, pause: float) -> ApplicationError:
    """The error that makes Temporal run this activity again after `pause` seconds."""
    return ApplicationError(
        problem,
        type=kind,
        next_retry_delay=timedelta(seconds=max(pause, 0.001)),
        category=ApplicationErrorCategory.BENIGN,  # it is in the log as an event; a stack trace tells nobody more
    )
