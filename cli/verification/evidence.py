"""Temporal's history beside the stream, and the rules by which the two tell the same story."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cli.verification.history import History
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalVoted,
    BreakpointCleared,
    BreakpointReached,
    BreakpointSet,
    BudgetExceeded,
    ErrorOccurred,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMCallFailed,
    LLMResponseReceived,
    SessionCompleted,
    SessionInterrupted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
    SessionStepped,
    SessionTerminationRequested,
    StreamRepaired,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    UnknownEvent,
    UserMessageAdded,
)
from eventlog.log import Recorded
from eventlog.marks import Mark, thin
from projections.evolution import SESSION, evolve
from projections.fold import fold
from projections.invariants.ending import ORDERLY
from projections.invariants.invariant import Breach
from projections.session import Session

_LEAVE_MARKS = (
    SessionStarted,
    UserMessageAdded,
    SessionPaused,
    SessionResumed,
    SessionTerminationRequested,
    SessionInterrupted,
    SessionStepped,
    BreakpointSet,
    BreakpointCleared,
    BreakpointReached,
    BudgetExceeded,
    SessionCompleted,
    LLMResponseReceived,
    LLMCallFailed,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalGranted,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    HumanInputRequested,
    HumanInputProvided,
    HumanInputExpired,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
)


def leaves_mark(event: AnyEvent) -> bool:
    """Whether the workflow is told of such an event: of no intents, ignored requests and attempts before the last."""
    return isinstance(event, _LEAVE_MARKS) and not getattr(event, "will_retry", False)


@dataclass(frozen=True)
class Evidence:
    """All that is known of one thread. The history was read first: the stream may have gone on since."""

    events: Sequence[Recorded]
    history: History
    strange_runs: frozenset[str] = frozenset()
    """Runs that wrote events and that Temporal has never had."""

    @cached_property
    def session(self) -> Session:
        """The session by its stream."""
        return fold(SESSION, self.events)

    @cached_property
    def marks(self) -> Sequence[Mark]:
        """Every mark of every run."""
        return [mark for run in self.history.runs for answer in run.answers for mark in answer.marks]

    @cached_property
    def recalled(self) -> int:
        """The position up to which the last run was told of everything when it began."""
        return max((each.position for each in self.history.last.answers if each.position is not None), default=-1)

    @cached_property
    def news(self) -> Sequence[Mark]:
        """What the last run was told of since."""
        marks = [mark for answer in self.history.last.answers for mark in answer.marks]
        return [mark for mark in marks if mark.position > self.recalled]

    @cached_property
    def known(self) -> frozenset[int]:
        """The positions of which the last run was told."""
        return frozenset((*range(self.recalled + 1), *(mark.position for mark in self.news)))

    @cached_property
    def answered(self) -> frozenset[tuple[str, str]]:
        """The activities that have answered, each by its run and its id."""
        return frozenset((run.id, answer.activity_id) for run in self.history.runs for answer in run.answers)


class Rule(ABC):
    """Something that holds of history and stream together. Its class's docstring says what."""

    @abstractmethod
    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """Where it does not, and how."""


class MarksAreInTheStream(Rule):
    """What Temporal's history tells of stands in the stream, and says the same there."""

    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """Events that are missing, or others."""
        by_position = {each.position: each for each in evidence.events}
        end = len(evidence.events) - 1
        if evidence.recalled > end:
            yield end, f"the workflow has read the stream up to position {evidence.recalled}, and it ends at {end}"
        for position, told in _distinct(evidence.marks):
            found = by_position.get(position)
            if found is None:
                yield position, f"Temporal's history tells of {told.type} here, and nothing stands here"
            elif found.metadata.schema_version == found.event.version and thin(found.event) != told:
                yield position, f"Temporal's history tells of another {told.type} than the {found.event.type} here"


def _distinct(marks: Sequence[Mark]) -> Iterator[tuple[int, AnyEvent]]:
    """Every mark once: an activity that was tried again tells of the same event, and so does a run that was reset."""
    seen: dict[int, list[AnyEvent]] = {}
    for mark in marks:
        events = seen.setdefault(mark.position, [])
        if mark.event not in events:
            events.append(mark.event)
            yield mark.position, mark.event


class EventsWereTold(Rule):
    """The workflow was told of everything its own activities wrote, unless they never got to answer."""

    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """Events of which it knows nothing."""
        end = next((each.position for each in evidence.events if isinstance(each.event, SessionCompleted)), None)
        for each in untold(evidence):
            activity = (each.metadata.run_id or "", each.metadata.activity_id or "")
            if isinstance(each.event, ApprovalRequested) or activity[0] != evidence.history.last.id:
                continue  # an answer may come before the question's own mark; a later run recalls all of an earlier one
            waited_for = evidence.session.completed in ORDERLY and end is not None and each.position < end
            if activity in evidence.answered or waited_for:
                yield each.position, f"the workflow was never told of this {each.event.type}"


def untold(evidence: Evidence) -> list[Recorded]:
    """The events that leave marks, and have left none."""
    return [each for each in evidence.events if leaves_mark(each.event) and each.position not in evidence.known]


class TheProcessKnowsTheStream(Rule):
    """The session as the workflow folds it from its marks is the session of the events it was told of."""

    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """What the two differ in."""
        stored, left_out = Session(), {each.position for each in untold(evidence)}
        process = fold(SESSION, evidence.events[: evidence.recalled + 1])
        for each in evidence.events:
            if each.position not in left_out:
                stored = evolve(stored, each.position, each.event)
        for mark in evidence.news:
            process = evolve(process, mark.position, mark.event)
        told, read = vars(_essence(process)), vars(_essence(stored))
        for name in (name for name in told if told[name] != read[name]):
            yield stored.position, f"{name} is {told[name]} to the workflow and {read[name]} by the stream"


def _essence(session: Session) -> Session:
    """A session but for what the workflow is never told: intents, retries and what was ignored."""
    pending = {id_: replace(call, state="wanted") for id_, call in session.pending.items()}
    return replace(session, position=0, failures=0, pending=pending)


class EventsAreOfItsRuns(Rule):
    """Every event of the session was written by a run that Temporal has had, or by a repair."""

    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """Events that somebody else has put there."""
        repairs = {each.id for each in evidence.events if isinstance(each.event, StreamRepaired)}
        for each in evidence.events:
            by_nobody_of_ours = isinstance(each.event, UnknownEvent | ErrorOccurred | StreamRepaired)
            if not evidence.history.whole or by_nobody_of_ours or each.metadata.causation_id in repairs:
                continue
            if each.metadata.run_id is None:
                yield each.position, f"{each.event.type} was written by no run of the workflow"
            elif each.metadata.run_id in evidence.strange_runs:
                yield each.position, f"{each.event.type} was written by a run that never was: {each.metadata.run_id}"


class TheEndIsTold(Rule):
    """A workflow that has returned has told its stream of the end, and why."""

    def breaks(self, evidence: Evidence) -> Iterator[tuple[int, str]]:
        """A stream without an end, or with another."""
        returned, told = evidence.history.last.reason, evidence.session.completed
        if returned is not None and returned != told:
            how = f"ends with {told}" if told else "has no end"
            yield len(evidence.events) - 1, f"the workflow has ended with {returned} and the stream {how}"


RULES: Sequence[type[Rule]] = (
    MarksAreInTheStream,
    EventsWereTold,
    TheProcessKnowsTheStream,
    EventsAreOfItsRuns,
    TheEndIsTold,
)


def disagreements(evidence: Evidence) -> Iterator[Breach]:
    """Where history and stream differ. What is missing in the stream is told first, and alone: the rest follows."""
    for kind in RULES:
        found = [Breach(kind.__name__, position, problem) for position, problem in kind().breaks(evidence)]
        yield from found
        if found and kind is MarksAreInTheStream:
            return
