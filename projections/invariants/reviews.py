"""Rules about the review of the final answer, where the session wants one."""

from collections.abc import Iterator

from eventlog.events import HumanInputExpired, HumanInputProvided, HumanInputRequested, SessionCompleted
from projections.invariants.invariant import Invariant, Moment


class AnswersAreReviewed(Invariant):
    """Where a person is to look at the final answer, they are asked about the newest one, and it is used only then."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A review that nobody wanted or that is of another answer, a word on none, and an answer without one."""
        review, steps = moment.before.review, moment.before.steps
        waits = moment.before.open_review is not None
        match event := moment.recorded.event:
            case HumanInputRequested(step=int() as step) if review is None or waits or step != steps:
                yield f"the answer of model call {step} is put up for review, which is not due"
            case HumanInputProvided(step=int() as step) | HumanInputExpired(step=int() as step) if not waits:
                yield f"{event.type} tells of a review of model call {step} that is not open"
            case SessionCompleted(completion_reason="success") if review is not None and review.accepted != steps:
                yield f"the session ends well though nobody has accepted the answer of model call {steps}"
            case _:
                pass
