"""Rules about model calls: each is asked before it is answered, and has one outcome."""

from collections.abc import Iterator

from eventlog.events import LLMCallFailed, LLMCallRequested, LLMResponseReceived
from projections.invariants.invariant import Invariant, Moment


class StepsFollowEachOther(Invariant):
    """Model calls are numbered 1, 2, 3, … and none begins before the one before it has its outcome."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A step that is not due yet. One that is over may still be heard of, from a process that was only slow."""
        match event := moment.recorded.event:
            case LLMCallRequested() | LLMResponseReceived() | LLMCallFailed():
                due = moment.before.steps + 1
                if not 1 <= event.step <= due:
                    yield f"{event.type} tells of model call {event.step} while {due} is due"
            case _:
                pass


class ModelCallsEndOnce(Invariant):
    """A model call has one outcome: a reply, or the failure that ends it."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A second outcome."""
        match event := moment.recorded.event:
            case LLMResponseReceived() | LLMCallFailed(will_retry=False):
                if event.step <= moment.before.steps:
                    yield f"model call {event.step} has its outcome already, and {event.type} is another"
            case _:
                pass


class RepliesWereAskedFor(Invariant):
    """The intent to ask the model, showing it the stream up to a position, stands before the reply to that.

    Up to 0.3.0 a request that was made again later, though nothing it shows had changed, was not declared anew, and its
    reply told the later position.
    """

    def __init__(self) -> None:
        self._asked: set[tuple[int, int]] = set()
        self._declared: dict[int, int] = {}
        """Where the first request of a model call stands."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A request that shows what is not there yet, and a reply without a request."""
        match event := moment.recorded.event:
            case LLMCallRequested():
                if not 0 <= event.at < moment.recorded.position:
                    yield f"the request at position {moment.recorded.position} shows the stream up to {event.at}"
                self._asked.add((event.step, event.at))
                self._declared.setdefault(event.step, moment.recorded.position)
            case LLMResponseReceived() if not self._was_asked_for(event):
                yield f"nobody declared to ask for the reply to model call {event.step} at position {event.at}"
            case _:
                pass

    def _was_asked_for(self, reply: LLMResponseReceived) -> bool:
        if (reply.step, reply.at) in self._asked:
            return True
        declared = self._declared.get(reply.step)
        return declared is not None and declared <= reply.at
