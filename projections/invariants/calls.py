"""Rules about tool calls: asked for by the model, allowed where a person was asked, begun once, ended once."""

from collections.abc import Iterator
from typing import Any

from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMResponseReceived,
    PolicyDecided,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
)
from projections.invariants.invariant import Invariant, Moment
from projections.session import PendingCall

ABOUT_CALLS = (
    PolicyDecided,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalGranted,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalReused,
    HumanInputRequested,
    HumanInputProvided,
    HumanInputExpired,
    ToolExecutionRequested,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)


class CallsAreOpen(Invariant):
    """Whatever is told of a tool call is told between the reply that asks for it and its one outcome.

    A process that was taken for dead may decide on the call, or declare its intent, after it was given up, unbegun;
    then it stops.
    """

    def __init__(self) -> None:
        self._given_up: set[str] = set()

    def breaks(self, moment: Moment) -> Iterator[str]:
        """News of a call that nobody asked for, or that has its outcome already."""
        event, call = moment.recorded.event, _open(moment)
        if call is not None and call.state != "begun" and isinstance(event, ToolExecutionFailed):
            self._given_up.add(call.id)
        late = (
            isinstance(event, PolicyDecided | ApprovalReused | ToolExecutionRequested)
            and event.call_id in self._given_up
        )
        if isinstance(event, ABOUT_CALLS) and call is None and not late and not _of_answer(event):
            yield f"{event.type} tells of call {event.call_id}, which is not open: never asked for, or over already"


class ToolsBeginOnce(Invariant):
    """A tool is begun once, and where a person was asked about the call, not before they have allowed it."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A call that begins twice or without leave."""
        event = moment.recorded.event
        call = _open(moment)
        if not isinstance(event, ToolExecutionRequested) or call is None:
            return
        if call.state == "begun":
            yield f"call {call.id} begins a second time"
        if call.state == "asked":
            yield f"call {call.id} begins though nobody has allowed it yet"
        if call.state == "inquired":
            yield f"call {call.id} begins though it is a question to a person"


class PoliciesAreObeyed(Invariant):
    """What the policy denies is not begun, and what it wants a person to be asked about only with their leave."""

    def __init__(self) -> None:
        self._decided: dict[tuple[str, str], PolicyDecided] = {}

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A call that begins against the policy's word."""
        event, call = moment.recorded.event, _open(moment)
        if isinstance(event, LLMResponseReceived):
            self._decided.clear()  # the ids of calls are those of one reply
        if isinstance(event, PolicyDecided):
            self._decided[event.call_id, event.digest] = event
        if not isinstance(event, ToolExecutionRequested) or call is None:
            return
        decided = self._decided.pop((event.call_id, event.digest), None)
        if decided is not None and decided.decision == "deny":
            yield f"call {call.id} begins though the policy denies it"
        if decided is not None and decided.decision == "ask" and call.state not in ("granted", "begun"):
            yield f"call {call.id} begins though the policy wants a person to be asked, and nobody was"


class ResultsHaveIntents(Invariant):
    """The intent to run a tool stands before anything the tool did; one that was never run can only have failed."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A result out of nothing."""
        call = _open(moment)
        match event := moment.recorded.event:
            case ToolExecutionCompleted() | ToolExecutionOutcomeUnknown() | ToolExecutionFailed(will_retry=True):
                if call is not None and call.state != "begun":
                    yield f"{event.type} tells what came of call {call.id}, which was never begun"
            case _:
                pass


class ApprovalsAreSpentOnce(Invariant):
    """A call is asked about once, and answered once, for the very arguments that were asked about."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A second question, an answer to none, and leave for something else."""
        call = _open(moment)
        if call is None:
            return
        match event := moment.recorded.event:
            case ApprovalRequested() | ApprovalReused() if call.state != "wanted":
                yield f"{event.type} tells of call {call.id}, which is {call.state} already"
            case ApprovalVoted() | ApprovalGranted() | ApprovalDenied() | ApprovalEscalated() | ApprovalExpired() if (
                call.state != "asked"
            ):
                yield f"{event.type} answers a question about call {call.id} that is not open: it is {call.state}"
            case ApprovalGranted() if event.digest != call.digest:
                yield f"call {call.id} is allowed with other arguments than were asked about"
            case _:
                pass


class QuestionsAreAnsweredOnce(Invariant):
    """A call that is a question is put once, not before it is allowed where it must be, and answered once."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A second question, one that nobody has allowed, and an answer to none."""
        call = _open(moment)
        if call is None:
            return
        match event := moment.recorded.event:
            case HumanInputRequested() if call.state not in ("wanted", "granted"):
                yield f"a person is asked what call {call.id} asks, which is {call.state} already"
            case HumanInputProvided() | HumanInputExpired() if call.state != "inquired":
                yield f"{event.type} answers a question of call {call.id} that is not open: it is {call.state}"
            case _:
                pass


def _of_answer(event: AnyEvent) -> bool:
    """Whether it tells of the final answer's review, and so of no call."""
    return getattr(event, "step", None) is not None


def _open(moment: Moment) -> PendingCall | None:
    event: Any = moment.recorded.event
    return moment.before.pending.get(event.call_id) if isinstance(event, ABOUT_CALLS) else None
